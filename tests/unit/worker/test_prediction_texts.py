"""Predictions written by column are those made row by row, byte for byte."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tandem.backplane.errors import ModelError
from tandem.schemas.rows import decoded, encoded
from tests.unit.worker.loaded_models import loaded_model
from worker.model_answer import json_bytes
from worker.prediction_texts import PredictionTexts

ORIGIN = {"model_name": 'm"é', "model_version": "3", "model_run_id": "r"}
NUMBERS = st.sampled_from(["f8", "f4", "f2", "i8", "i4", "u8", "u1", "?"])


class Answering:
    """A pyfunc that has its answer ready."""

    def __init__(self, output: Any) -> None:
        self._output = output

    def predict(self, data: pd.DataFrame) -> Any:
        """The answer."""
        del data
        return self._output


def row_by_row(output: Any, count: int, *, matches: bool) -> list[str]:
    """The texts of the predictions of rows that travelled one by one."""
    model = loaded_model(Answering(output), predicts_matches=matches)
    return [json_bytes(one).decode() for one in model.predict_rows([{"x": 1.0}] * count)]


def by_column(output: Any, count: int, *, matches: bool) -> list[str]:
    """The same of rows by column."""
    model = loaded_model(Answering(output), predicts_matches=matches)
    return model.predict_columns(decoded(encoded([{"x": 1.0}] * count, {"x": "double"})))


@given(NUMBERS.flatmap(lambda dtype: arrays.arrays(dtype, arrays.array_shapes(max_dims=3, max_side=5))))
def test_arrays_of_numbers(output: Any) -> None:
    """One number a row, several, tables; NaN and infinity among them."""
    count = len(output)
    assert by_column(output, count, matches=False) == row_by_row(output, count, matches=False)


@given(
    arrays.arrays(
        st.sampled_from(["f8", "f4"]),
        st.tuples(st.integers(1, 6), st.just(3)),
        elements=st.floats(0, 1, width=32),
    ).map(lambda weights: (weights + 1e-3) / (weights + 1e-3).sum(axis=1, keepdims=True))
)
def test_probabilities_of_matches(output: Any) -> None:
    """Class, outcome and probabilities; the first of equal classes is the likeliest in both."""
    texts = PredictionTexts(ORIGIN, predicts_matches=True).of(output, len(output))
    assert texts is not None
    count = len(output)
    assert by_column(output, count, matches=True) == row_by_row(output, count, matches=True)


@pytest.mark.parametrize(
    "output",
    [
        np.array([[1.0, -0.0, 0.0], [0.0, 0.5, 0.5]]),
        np.array([[1, 0, 0], [0, 1, 0]]),
        np.array([[0.3331, 0.3331, 0.3331], [0.3336, 0.3336, 0.3336]]),
    ],
)
def test_probabilities_at_the_edges(output: Any) -> None:
    """Zeros of both signs, whole numbers, sums that are one by a small margin."""
    assert by_column(output, 2, matches=True) == row_by_row(output, 2, matches=True)


@pytest.mark.parametrize(
    "output",
    [
        pd.DataFrame({"y": ["a", None], "p": [0.5, np.nan]}),
        pd.Series([1.5, 2.5]),
        ["a", "\ud800"],
        [{"x": 1}, None],
        {"a": np.array([1, 2]), "b": ["x", "y"]},
        np.array([["a", "b"], ["c", "d"]]),
        np.zeros((2, 0)),
        np.array(["2026-04-25", "NaT"], dtype="datetime64[s]"),
    ],
)
def test_every_other_form(output: Any) -> None:
    """Frames, series, lists, objects, text, times, and half a character."""
    assert by_column(output, 2, matches=False) == row_by_row(output, 2, matches=False)


@pytest.mark.parametrize(
    "output",
    [
        np.array([[0.5, 0.5, 0.5], [1.0, 0.0, 0.0]]),
        np.array([[1.5, -0.5, 0.0], [1.0, 0.0, 0.0]]),
        np.array([[np.nan, 1.0, 0.0], [1.0, 0.0, 0.0]]),
        np.array([[0.5, 0.5], [1.0, 0.0]]),
        np.array([[True, False, False], [False, True, False]]),
        np.array([[1.0, 0.0, 0.0]]),
    ],
)
def test_what_is_no_answer_stays_none(output: Any) -> None:
    """The model's fault is found by column as it is row by row."""
    with pytest.raises(ModelError):
        row_by_row(output, 2, matches=True)
    with pytest.raises(ModelError):
        by_column(output, 2, matches=True)
