"""Rows by column lose nothing: what a model's input is made of is the same as without them."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tandem.schemas.rows import decoded, encoded
from tandem.schemas.signature import Signature
from worker.model_input import ModelInput

_DATES = ["2026-04-25", "2026-04-25T14:00:00+02:00", "1999-12-31 23:59:59.999999"]
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "double": st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53),
    "float": st.floats(allow_nan=False, allow_infinity=False, width=32) | st.integers(-(2**24), 2**24),
    "long": st.integers(-(2**63), 2**63 - 1) | st.just(2.0),
    "integer": st.integers(-(2**31), 2**31 - 1) | st.just(-0.0),
    "boolean": st.booleans(),
    "string": st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    "binary": st.sampled_from(["aGVsbG8=", ""]),
    "datetime": st.sampled_from(_DATES),
}


@st.composite
def _tables(draw: st.DrawFn) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """A signature's inputs, and rows that fit it: optional values given, null or left out."""
    kinds = draw(st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=6))
    inputs: list[dict[str, Any]] = [
        {"type": kind, "name": f"c{at}", "required": draw(st.booleans())} for at, kind in enumerate(kinds)
    ]
    rows = []
    for _ in range(draw(st.integers(1, 6))):
        row = {}
        for spec in inputs:
            value = VALUES[spec["type"]]
            if spec["required"] or draw(st.booleans()):
                row[spec["name"]] = draw(value if spec["required"] else value | st.none())
        rows.append(row)
    return inputs, rows


def bits_of(frame: pd.DataFrame) -> list[bytes]:
    """The memory of each column of numbers: -0.0 is equal to 0.0, and yet another."""
    return [frame[name].to_numpy().tobytes() for name in frame.select_dtypes("number")]


@settings(deadline=None)
@given(_tables())
def test_a_models_input_is_the_same(table: tuple[list[dict[str, Any]], list[dict[str, Any]]]) -> None:
    """Bit for bit, types and missing values too, through JSON; by column and by the rows it gives back."""
    inputs, rows = table
    assert not [fault for row in rows for fault in Signature.from_mlflow(inputs).check(row)]
    kinds = {spec["name"]: spec["type"] for spec in inputs}
    travelled = decoded(json.loads(json.dumps(encoded(rows, kinds))))
    model_input = ModelInput(inputs)
    expected = model_input.parts(rows)
    again = model_input.parts(travelled.dicts())
    assert [indices for indices, _ in again] == [indices for indices, _ in expected]
    for (_, frame), (_, other) in zip(again, expected, strict=True):
        pd.testing.assert_frame_equal(frame, other, check_exact=True)
        assert bits_of(frame) == bits_of(other)
    whole = model_input.frame_of(travelled)
    if whole is not None:
        [(_, frame)] = expected
        pd.testing.assert_frame_equal(whole, frame, check_exact=True)
        assert bits_of(whole) == bits_of(frame)
    for count in range(len(rows) + 1):
        assert travelled[:count].dicts() == travelled.dicts()[:count]


def test_what_is_no_column_of_numbers_goes_row_by_row() -> None:
    """Tensors, and rows that miss a whole number, have no one frame; the rows given back are the same."""
    tensor = {"type": "tensor", "name": "t", "tensor-spec": {"dtype": "float32", "shape": [-1, 2]}}
    rows: list[dict[str, Any]] = [{"t": [1.0, 2.0]}, {"t": [3.0, 4.0]}]
    travelled = decoded(encoded(rows, {"t": "tensor"}))
    assert ModelInput([tensor]).frame_of(travelled) is None
    assert travelled.dicts() == rows
    wins = {"type": "long", "name": "n", "required": False}
    travelled = decoded(encoded([{"n": 2**62 + 1}, {}], {"n": "long"}))
    assert ModelInput([wins]).frame_of(travelled) is None
    assert travelled.dicts() == [{"n": 2**62 + 1}, {}]


def test_a_column_of_nothing_takes_no_room() -> None:
    """Thousands of optional columns that nobody fills are not sent."""
    assert encoded([{"a": 1.0}] * 3, {"a": "double", "b": "double", "c": "string"})["columns"].keys() == {"a"}


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {"count": 1},
        {"count": True, "columns": {}},
        {"count": 1, "columns": {}, "more": 1},
        {"count": 1, "columns": {"a": {"f8": "AAAA"}}},
        {"count": 1, "columns": {"a": {"f8": "!"}}},
        {"count": 1, "columns": {"a": {"f8": 5}}},
        {"count": 2, "columns": {"a": {"f8": "AAAAAAAAAAA="}}},
        {"count": 1, "columns": {"a": {"f4": "AAAA"}}},
        {"count": 1, "columns": {"a": {"json": []}}},
        {"count": 1, "columns": {"a": {"json": [1], "f8": ""}}},
        {"count": 1, "columns": {"a": []}},
    ],
)
def test_another_document_is_refused(document: Any) -> None:
    """With ValueError and nothing else."""
    with pytest.raises(ValueError):  # noqa: PT011  which of the many things is wrong is nobody's business
        decoded(document)
