"""MLflow's check of a frame of numbers that we built changes nothing, so leaving it out changes nothing."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlflow.models.utils import _enforce_schema
from mlflow.types import ColSpec, Schema

from tandem.schemas.signature import Signature
from worker.direct_pyfunc import NUMBERS, PYTHON_MODEL, DirectPyfunc, direct_where_safe
from worker.model_input import ModelInput

VALUES = {
    "double": st.floats(allow_nan=False, allow_infinity=False),
    "float": st.floats(width=32, allow_nan=False, allow_infinity=False),
    "integer": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**53), 2**53),
}
COLUMNS = st.lists(st.tuples(st.sampled_from(sorted(NUMBERS)), st.booleans()), min_size=1, max_size=6)


@st.composite
def signatures_and_rows(draw: st.DrawFn) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """A signature of numbers, and rows that fit it: missing optional values, whole numbers for doubles."""
    inputs: list[dict[str, Any]] = [
        {"type": kind, "name": f"c{at}", "required": required}
        for at, (kind, required) in enumerate(draw(COLUMNS))
    ]
    cells = {
        spec["name"]: VALUES[spec["type"]] if spec["required"] else st.none() | VALUES[spec["type"]]
        for spec in inputs
    }
    rows = draw(st.lists(st.fixed_dictionaries(cells), min_size=1, max_size=4))
    return inputs, [{name: value for name, value in row.items() if value is not None} for row in rows]


@settings(deadline=None)
@given(signatures_and_rows())
def test_what_the_edge_lets_through_mlflow_leaves_as_it_is(
    drawn: tuple[list[dict[str, Any]], list[dict[str, Any]]],
) -> None:
    """Over random signatures and rows: the same values, types, columns and order, bit for bit."""
    inputs, rows = drawn
    assert all(Signature.from_mlflow(inputs).check(row) == [] for row in rows)
    schema = Schema([ColSpec(spec["type"], spec["name"], required=spec["required"]) for spec in inputs])
    for _, frame in ModelInput(inputs).parts(rows):
        pd.testing.assert_frame_equal(_enforce_schema(frame.copy(), schema), frame, check_exact=True)


def pyfunc(
    loader: str = "mlflow.sklearn", params: Any = None, *, hinted: bool = False, example: bool = False
) -> Any:
    """As much of a PyFuncModel as is asked."""
    metadata = SimpleNamespace(
        signature=SimpleNamespace(params=params),
        flavors={"python_function": {"loader_module": loader, "predict_fn": "predict_proba"}},
        _is_signature_from_type_hint=lambda: hinted,
        _is_type_hint_from_example=lambda: example,
    )
    implementation = SimpleNamespace(predict_proba=lambda data, params=None: ("direct", data, params))
    return SimpleNamespace(
        metadata=metadata, _model_impl=implementation, predict=lambda data: ("checked", data)
    )


def test_a_model_of_numbers_is_called_directly() -> None:
    """With the function that its flavor names, and without parameters."""
    model = direct_where_safe(pyfunc(), [{"type": "double", "name": "x"}, {"type": "long", "name": "n"}])
    assert isinstance(model, DirectPyfunc)
    assert model.predict(1) == ("direct", 1, None)


def test_a_function_without_parameters_is_called_without_them() -> None:
    """Some flavors' take the data alone."""
    assert DirectPyfunc(lambda data: -data).predict(1) == -1


def test_a_pipelines_keyword_arguments_are_no_parameters() -> None:
    """scikit-learn's `predict_proba(X, **params)` hands them to every step, which refuses them."""
    assert DirectPyfunc(lambda data, **params: (data, params)).predict(1) == (1, {})


@pytest.mark.parametrize(
    ("model", "inputs"),
    [
        (pyfunc(), [{"type": "double", "name": "x"}, {"type": "string", "name": "s"}]),
        (pyfunc(), [{"type": "tensor", "tensor-spec": {}}]),
        (pyfunc(), [{"type": "double"}]),
        (pyfunc(params=object()), [{"type": "double", "name": "x"}]),
        (pyfunc(PYTHON_MODEL), [{"type": "double", "name": "x"}]),
        (pyfunc(hinted=True), [{"type": "double", "name": "x"}]),
        (pyfunc(example=True), [{"type": "double", "name": "x"}]),
    ],
)
def test_any_other_model_is_called_as_mlflow_has_it(model: Any, inputs: list[dict[str, Any]]) -> None:
    """Text, tensors, nameless columns, parameters, Python code, type hints."""
    assert direct_where_safe(model, inputs) is model


def test_a_missing_number_is_nan_either_way() -> None:
    """And not null or zero."""
    [(_, frame)] = ModelInput([{"type": "double", "name": "x", "required": False}]).parts([{}])
    assert math.isnan(frame["x"].iloc[0])
