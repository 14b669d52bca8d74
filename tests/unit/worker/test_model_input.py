"""Rows of features become exactly the types that the signature names; what is missing stays missing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from worker.model_input import ModelInput


def column(kind: str, name: str = "x", *, required: bool = True) -> dict[str, Any]:
    """One column of a signature, as MLflow writes it."""
    return {"type": kind, "name": name, "required": required}


def values(kind: str, *given: object) -> pd.Series[Any]:
    """The column that these values become."""
    [(indices, frame)] = ModelInput([column(kind, required=False)]).parts([{"x": value} for value in given])
    assert indices == list(range(len(given)))
    series: pd.Series[Any] = frame["x"]
    return series


@pytest.mark.parametrize(
    ("kind", "given", "dtype"),
    [
        ("boolean", True, "bool"),
        ("integer", 2.0, "int32"),
        ("long", 2**62, "int64"),
        ("float", 1, "float32"),
        ("double", 1, "float64"),
        ("datetime", "2026-04-25", "datetime64[ns]"),
        ("binary", "aGVsbG8=", "object"),
    ],
)
def test_each_type_is_the_signatures(kind: str, given: object, dtype: str) -> None:
    """The frame has the dtype that MLflow's own check expects, so that it converts nothing."""
    assert str(values(kind, given).dtype) == dtype


def test_large_whole_numbers_keep_every_digit() -> None:
    """A long never passes through a float."""
    assert values("long", 2**62 + 1).tolist() == [2**62 + 1]


def test_missing_values_are_missing() -> None:
    """Null and left out mean NaN, NaT, or null; never zero, false or empty text."""
    assert np.isnan(values("double", 1.5, None)[1])
    assert values("boolean", True, None).tolist() == [True, None]
    assert values("string", "a", None).isna().tolist() == [False, True]
    assert values("datetime", "2026-04-25", None).isna().tolist() == [False, True]
    assert values("binary", None, "aGVsbG8=").tolist() == [None, b"hello"]


def test_times_with_an_offset_become_utc() -> None:
    """MLflow takes no time zones, so the instant is kept and the offset is not."""
    assert values("datetime", "2026-04-25T14:00:00+02:00")[0] == pd.Timestamp("2026-04-25T12:00:00")
    assert values("datetime", "2026-04-25T12:00:00Z")[0] == pd.Timestamp("2026-04-25T12:00:00")


def test_rows_that_miss_a_whole_number_go_without_that_column() -> None:
    """No integer means missing, so such rows get an input of their own, without the column."""
    model_input = ModelInput([column("double", "a"), column("long", "n", required=False)])
    parts = model_input.parts([{"a": 1.0, "n": 1}, {"a": 2.0}, {"a": 3.0, "n": 3}, {"a": 4.0, "n": None}])
    assert [indices for indices, _ in parts] == [[0, 2], [1, 3]]
    assert list(parts[0][1].columns) == ["a", "n"]
    assert list(parts[1][1].columns) == ["a"]


def test_nested_values_go_on_as_they_are() -> None:
    """Arrays, objects and maps are Python values in a column of objects."""
    spec = [{"type": "array", "items": {"type": "double"}, "name": "x", "required": True}]
    [(_, frame)] = ModelInput(spec).parts([{"x": [1.0, 2.0]}, {"x": []}])
    assert frame["x"].tolist() == [[1.0, 2.0], []]


def test_tensors_are_stacked_along_the_rows() -> None:
    """Named tensors are a dict of arrays; a single one without a name is an array, known by its position."""
    spec = {"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 2]}}
    [(_, named)] = ModelInput([{**spec, "name": "x"}]).parts([{"x": [1, 2]}, {"x": [3, 4]}])
    assert named["x"].tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert named["x"].dtype == np.float32
    [(_, bare)] = ModelInput([spec]).parts([{"0": [1, 2]}])
    assert bare.tolist() == [[1.0, 2.0]]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("long", "1"),
        ("long", 2.5),
        ("long", 2**70),
        ("integer", 2**31),
        ("long", True),
        ("double", "1"),
        ("double", True),
        ("string", 1),
        ("boolean", 0),
        ("binary", "not base64"),
        ("datetime", "yesterday"),
        ("datetime", 0),
    ],
)
def test_a_value_that_does_not_fit_is_never_converted(kind: str, value: object) -> None:
    """It raises instead, so that whoever calls can find out which field it was."""
    with pytest.raises((TypeError, ValueError, OverflowError)):
        ModelInput([column(kind)]).parts([{"x": value}])


@pytest.mark.parametrize(
    ("kind", "dtype"), [("integer", "int32"), ("long", "int64"), ("float", "float32"), ("double", "float64")]
)
def test_columns_of_one_type_are_what_pandas_makes_of_them(kind: str, dtype: str) -> None:
    """The same frame down to its memory, and no model can change that of the next."""
    names, rows = "abc", [{"a": 1, "b": 2, "c": 3}, {"a": 4, "b": 5, "c": 6}]
    made = ModelInput([column(kind, name) for name in names])
    expected = pd.DataFrame({name: np.array([row[name] for row in rows], dtype=dtype) for name in names})
    for _ in range(2):
        [(_, frame)] = made.parts(rows)
        pd.testing.assert_frame_equal(frame, expected, check_column_type=True, check_index_type=True)
        assert frame.to_numpy().flags == expected.to_numpy().flags
        frame.columns.name = "changed"
        frame.loc[0, "a"] = 9
