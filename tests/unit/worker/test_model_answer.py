"""Whatever form a model answers in, each row gets its own answer, as JSON that every reader takes."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.backplane.errors import ModelError
from worker.model_answer import json_value, match_prediction, rows_of


class Sparse:
    """The one method of a sparse matrix that is used."""

    def toarray(self) -> Any:
        """The dense form."""
        return np.array([[1.0, 0.0], [0.0, 2.0]])


@pytest.mark.parametrize(
    ("output", "rows"),
    [
        (pd.DataFrame({"y": ["a", "b"], "p": [0.5, np.nan]}), [{"y": "a", "p": 0.5}, {"y": "b", "p": None}]),
        (pd.Series([1, 2]), [1, 2]),
        (np.array([[1.0, 2.0], [3.0, np.inf]]), [[1.0, 2.0], [3.0, None]]),
        (np.array(["a", "b"]), ["a", "b"]),
        (Sparse(), [[1.0, 0.0], [0.0, 2.0]]),
        ([{"x": np.float32(0.5)}, {"x": None}], [{"x": 0.5}, {"x": None}]),
        ({"a": np.array([1, 2]), "b": ["x", "y"]}, [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]),
    ],
)  # fmt: skip
def test_every_form_is_cut_into_rows(output: Any, rows: list[Any]) -> None:
    """Frames give records, series and arrays items, a dict of columns its rows."""
    assert rows_of(output, 2) == rows


@pytest.mark.parametrize(
    ("output", "row"),
    [(np.float64(2.5), 2.5), (np.array(3), 3), ("text", "text"), ({"a": 1}, {"a": 1}), (b"hi", "aGk=")],
)
def test_one_row_may_be_answered_bare(output: Any, row: Any) -> None:
    """A single row's answer need not be wrapped in a list."""
    assert rows_of(output, 1) == [row]


@pytest.mark.parametrize("output", [[1, 2, 3], np.zeros((2, 2)), "text", {"a": [1, 2]}, None])
def test_a_wrong_number_of_rows_is_the_models_fault(output: Any) -> None:
    """An answer that cannot be given to the rows is refused and never shifted."""
    with pytest.raises(ModelError, match="rows"):
        rows_of(output, 4)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.int64(2**53 + 1), 2**53 + 1),
        (np.bool_(1), True),
        (np.float32("nan"), None),
        (float("-inf"), None),
        (pd.NaT, None),
        (pd.NA, None),
        (np.datetime64("NaT"), None),
        (pd.Timestamp("2026-04-25T12:00:00"), "2026-04-25T12:00:00"),
        (np.datetime64("2026-04-25"), "2026-04-25T00:00:00"),
        (datetime(2026, 4, 25, tzinfo=UTC), "2026-04-25T00:00:00+00:00"),
        (date(2026, 4, 25), "2026-04-25"),
        (timedelta(seconds=1.5), 1.5),
        (np.timedelta64(2, "s"), 2.0),
        (Decimal("0.25"), 0.25),
        (b"\xff", "/w=="),
        ({1: (np.int8(1), {"x": np.array([np.nan])})}, {"1": [1, {"x": [None]}]}),
    ],
)
def test_values_of_numpy_and_pandas_have_a_form(value: Any, expected: Any) -> None:
    """Numbers stay numbers, what is not a number is null, times are ISO 8601, bytes base64."""
    made = json_value(value)
    assert made == expected
    assert type(made) is type(expected)


def test_what_has_no_form_is_the_models_fault() -> None:
    """It is said which type it was, and not silently turned into text."""
    with pytest.raises(ModelError, match="complex"):
        json_value(1j)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=5),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
        max_leaves=12,
    )
)
def test_the_form_is_always_strict_json(value: Any) -> None:
    """No NaN and no infinity ever reach a reader."""
    json.dumps(json_value(value), allow_nan=False)


@pytest.mark.parametrize(
    "answer",
    [
        [0.2, 0.3, 0.5],
        {"0": 0.2, "1": 0.3, "2": 0.5},
        {"probabilities": {"0": 0.2, "1": 0.3, "2": 0.5}, "predicted_class": 2},
        {"probabilities": [0.2, 0.3, 0.5]},
    ],
)
def test_a_match_is_answered_in_the_contracts_form(answer: Any) -> None:
    """The likeliest class, its name, and the three probabilities under their classes."""
    assert match_prediction(answer) == {
        "predicted_class": 2,
        "outcome": "away_win",
        "probabilities": {"0": 0.2, "1": 0.3, "2": 0.5},
    }


@pytest.mark.parametrize(
    "answer",
    [1, "home_win", [0.5, 0.5], [0.5, 0.6, 0.7], [None, 0.5, 0.5], {"0": 1.0}, [-0.5, 0.5, 1.0], None],
)
def test_anything_but_three_probabilities_is_the_models_fault(answer: Any) -> None:
    """A class alone, or numbers that are no probabilities, are not dressed up as an answer."""
    with pytest.raises(ModelError, match="probabilities"):
        match_prediction(answer)
