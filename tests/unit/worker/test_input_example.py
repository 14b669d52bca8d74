"""A model's own example becomes features of a request, whatever form it was logged in, or is left out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from worker.input_example import example_row

DOUBLE = {"type": "double", "name": "x", "required": True}
OPTIONAL = {"type": "string", "name": "note", "required": False}
TENSOR = {"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 2]}}
WORDS = {"type": "array", "items": {"type": "string"}, "name": "words", "required": True}


@pytest.mark.parametrize(
    ("example", "inputs", "row"),
    [
        (pd.DataFrame({"x": [1.5, 2.5], "note": [None, "b"]}), [DOUBLE, OPTIONAL], {"x": 1.5}),
        (pd.DataFrame({"x": [np.nan]}), [DOUBLE], None),
        (pd.DataFrame({"y": [1.5]}), [DOUBLE], None),
        ({"x": 1.5}, [DOUBLE], {"x": 1.5}),
        ({"x": np.array([1.5, 2.5])}, [DOUBLE], {"x": 1.5}),
        ({"words": ["a", "b"]}, [WORDS], {"words": ["a", "b"]}),
        ([{"x": 1.5}], [DOUBLE], {"x": 1.5}),
        (np.array([[1.0, 2.0], [3.0, 4.0]]), [TENSOR], {"0": [1.0, 2.0]}),
        (["text"], [{"type": "string", "required": True}], {"0": "text"}),
        ([], [DOUBLE], None),
        (None, [DOUBLE], None),
    ],
)
def test_the_first_row_is_written_as_features(
    example: Any, inputs: list[dict[str, Any]], row: dict[str, Any] | None
) -> None:
    """The first row, missing optional values left out; None where it does not fit the signature."""
    assert example_row(example, inputs) == row
