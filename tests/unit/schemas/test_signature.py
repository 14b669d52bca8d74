"""A signature as a schema: rows that fit pass, and every fault of one that does not is named at once."""

import json
import math
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.schemas.column_types import MAX_ITEMS, SignatureError
from tandem.schemas.problem import FieldError
from tandem.schemas.signature import MAX_ERRORS, Signature

Spec = dict[str, Any]

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
NAMES = st.lists(TEXT, min_size=1, max_size=6, unique=True)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "boolean": st.booleans(),
    "integer": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(allow_nan=False, allow_infinity=False, width=32),
    "double": st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53),
    "string": TEXT,
    "binary": st.just("YWJj"),
    "datetime": st.just("2026-04-25T14:00:00Z"),
}


@st.composite
def types_and_values(draw: st.DrawFn, depth: int = 2) -> tuple[Spec, Any]:
    """A column's type, and a value that fits it."""
    kind = draw(st.sampled_from([*VALUES, *(["array", "object", "map", "any"] if depth else [])]))
    if kind in VALUES:
        return {"type": kind}, draw(VALUES[kind])
    if kind == "any":
        return {"type": "any"}, draw(st.none() | TEXT | st.lists(st.integers(), max_size=2))
    spec, value = draw(types_and_values(depth - 1))
    if kind == "array":
        return {"type": "array", "items": spec}, [value] * draw(st.integers(0, 2))
    if kind == "map":
        return {"type": "map", "values": spec}, {draw(TEXT): value}
    required, optional = draw(TEXT), draw(TEXT)
    properties = {optional: {**spec, "required": False}, required: {**spec, "required": True}}
    given_too = {optional: draw(st.sampled_from([value, None]))} if draw(st.booleans()) else {}
    return {"type": "object", "properties": properties}, {**given_too, required: value}


@st.composite
def signatures_and_rows(draw: st.DrawFn) -> tuple[list[Spec], dict[str, Any]]:
    """The inputs of a signature, and a row that fits them."""
    inputs, row = [], {}
    for name in draw(NAMES):
        spec, value = draw(types_and_values())
        required = draw(st.booleans())
        inputs.append({**spec, "name": name, "required": required})
        if required or draw(st.booleans()):
            row[name] = value if required or draw(st.booleans()) else None
    return inputs, row


def faults(errors: list[FieldError]) -> set[tuple[str | int, ...]]:
    """Where the errors are."""
    return {tuple(error["loc"]) for error in errors}


@given(signatures_and_rows())
def test_a_row_that_fits_passes_and_comes_back_from_json_fitting(
    drawn: tuple[list[Spec], dict[str, Any]],
) -> None:
    """Also after its way over the wire; and the published JSON Schema agrees."""
    inputs, row = drawn
    signature = Signature.from_mlflow(json.loads(json.dumps(inputs)))
    assert signature.check(row) == []
    travelled = json.loads(json.dumps(row))
    assert signature.check(travelled) == []
    schema = signature.json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(travelled)


@given(signatures_and_rows(), st.data())
def test_every_fault_is_named_at_once(drawn: tuple[list[Spec], dict[str, Any]], data: st.DataObject) -> None:
    """Missing, unknown and unfitting features, however many, each at its name, in one answer."""
    inputs, row = drawn
    names = [spec["name"] for spec in inputs]
    required = [spec["name"] for spec in inputs if spec["required"]]
    scalar = [spec["name"] for spec in inputs if spec["type"] in VALUES]
    missing = data.draw(st.sets(st.sampled_from(required)) if required else st.just(set()))
    broken = data.draw(st.sets(st.sampled_from(scalar)) if scalar else st.just(set())) - missing
    unknown = data.draw(st.sets(TEXT, max_size=3)) - set(names)
    row = {name: value for name, value in row.items() if name not in missing}
    row |= {name: {"no": "scalar"} for name in broken} | dict.fromkeys(unknown, 1)
    errors = Signature.from_mlflow(inputs).check(row)
    assert faults(errors) == {("features", name) for name in missing | broken | unknown}


FOOTBALL = [{"type": "double", "name": f"f{index}", "required": True} for index in range(12)]


def test_faults_inside_nested_values_are_named_where_they_are() -> None:
    """By positions, properties and keys."""
    signature = Signature.from_mlflow(
        [
            {"type": "array", "items": {"type": "array", "items": {"type": "long"}}, "name": "a"},
            {
                "type": "object",
                "properties": {
                    "x": {"type": "double", "required": True},
                    "y": {"type": "string", "required": False},
                },
                "name": "o",
            },
            {"type": "map", "values": {"type": "boolean"}, "name": "m"},
        ]
    )
    row = {"a": [[1], [2, 2.5], 3], "o": {"y": 1, "z": 1}, "m": {"k": 1, "l": None}}
    assert faults(signature.check(row)) == {
        ("features", "a", 1, 1),
        ("features", "a", 2),
        ("features", "o", "x"),
        ("features", "o", "y"),
        ("features", "o", "z"),
        ("features", "m", "k"),
        ("features", "m", "l"),
    }


def test_null_stands_for_missing_only_where_missing_is_allowed() -> None:
    """Optional columns may be left out or null; nothing becomes zero or false."""
    signature = Signature.from_mlflow(
        [
            {"type": "double", "name": "a", "required": True},
            {"type": "boolean", "name": "b", "required": False},
            {"type": "long", "name": "c", "optional": True},
        ]
    )
    assert signature.check({"a": 1.0}) == []
    assert signature.check({"a": 1.0, "b": None, "c": None}) == []
    assert faults(signature.check({"a": None})) == {("features", "a")}


def test_a_tensor_has_its_shape() -> None:
    """A leading -1 stands for the rows and is not sent; an inner -1 is any length, the same for siblings."""
    signature = Signature.from_mlflow(
        [
            {"type": "tensor", "name": "x", "tensor-spec": {"dtype": "float32", "shape": (-1, 2, -1)}},
            {"type": "tensor", "name": "y", "tensor-spec": {"dtype": "int64", "shape": [-1]}},
            {"type": "tensor", "name": "z", "tensor-spec": {"dtype": "<U3", "shape": [2]}},
        ]
    )
    good = {"x": [[0.5, 1], [1, 2]], "y": 3, "z": ["a", "b"]}
    assert signature.check(good) == []
    assert faults(signature.check({**good, "x": [[0.5], [1, 2]]})) == {("features", "x", 1)}
    assert faults(signature.check({**good, "x": [[0.5, 1e300], 7]})) == {
        ("features", "x", 0, 1),
        ("features", "x", 1),
    }
    assert faults(signature.check({**good, "x": [[1]], "y": [3], "z": ["a", 1]})) == {
        ("features", "x"),
        ("features", "y"),
        ("features", "z", 1),
    }


def test_columns_without_names_go_by_their_position() -> None:
    """As MLflow numbers them."""
    signature = Signature.from_mlflow([{"type": "double"}, {"type": "string"}])
    assert signature.names == ("0", "1")
    assert signature.check({"0": 1.5, "1": "x"}) == []


@pytest.mark.parametrize(
    "inputs",
    [
        [{"type": "complex", "name": "a"}],
        [{"type": "tensor", "name": "a", "tensor-spec": {"dtype": "complex128", "shape": [-1]}}],
        [{"type": "double", "name": "a"}, {"type": "long", "name": "a"}],
    ],
)
def test_a_signature_that_cannot_be_checked_is_refused(inputs: list[Spec]) -> None:
    """At the start, not at the first request."""
    with pytest.raises(SignatureError):
        Signature.from_mlflow(inputs)


def test_a_thousand_faults_are_an_answer_and_no_more_are() -> None:
    """However many a hostile row has; and a long name is cut."""
    signature = Signature.from_mlflow(
        [*FOOTBALL, {"type": "array", "items": {"type": "array", "items": {"type": "long"}}, "name": "a"}]
    )
    row = {"a": [["x"] * 100] * 100, "y" * 10_000: 1, **{f"u{index}": 1 for index in range(5_000)}}
    errors = signature.check(row)
    assert len(errors) == MAX_ERRORS
    assert max(len(str(error)) for error in signature.check({"y" * 10_000: 1})) < 300


def test_arrays_are_bounded() -> None:
    """One item over the bound is one fault, not one per item."""
    signature = Signature.from_mlflow([{"type": "array", "items": {"type": "long"}, "name": "a"}])
    assert signature.check({"a": [1] * MAX_ITEMS}) == []
    assert len(signature.check({"a": [1] * (MAX_ITEMS + 1)})) == 1


def test_mlflows_own_dictionary_is_understood() -> None:
    """What MLflow 3.17 writes for every column type it has, names and required or not."""
    schema = [
        {"type": "sparkml_vector", "name": "v", "required": True},
        {"type": "any", "name": "w", "required": True},
    ]
    signature = Signature.from_mlflow(schema)
    assert signature.check({"v": [1.5, 2], "w": None}) == []
    assert faults(signature.check({"v": [1.5, "2"]})) == {("features", "v", 1), ("features", "w")}


ANYTHING = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.sampled_from([10**400, 2.0, -0.0, 2**53 + 1, 3e38, 1e-50, "x" * 10_001])
    | st.floats()
    | st.text(max_size=3)
    | st.sampled_from(["2026-04-25", "aGVsbG8=", [1.0], {"a": 1}])
)
KINDS = ["double", "float", "long", "integer", "boolean", "string", "binary", "datetime", "any"]


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[Spec], list[dict[str, Any]]]:
    """A signature of some columns, and rows of which each may have anything in any of them, or one more."""
    kinds = draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=3))
    inputs: list[Spec] = [
        {"type": kind, "name": f"c{at}", "required": draw(st.booleans())} for at, kind in enumerate(kinds)
    ]
    mostly = draw(st.sampled_from([st.floats(), st.integers(-5, 5), st.text(max_size=3), st.booleans()]))
    names = [*(spec["name"] for spec in inputs)]
    row = st.fixed_dictionaries(
        dict.fromkeys(names[:1], mostly | ANYTHING),
        optional={**dict.fromkeys(names[1:], mostly), **({"more": mostly} if draw(st.booleans()) else {})},
    )
    return inputs, draw(st.lists(row, max_size=6))


@given(tables())
def test_rows_that_all_fit_are_given_by_column(table: tuple[list[Spec], list[dict[str, Any]]]) -> None:
    """Looked at by column, rows fit if and only if each of them does by itself; nothing is changed."""
    inputs, rows = table
    signature = Signature.from_mlflow(inputs)
    columns = signature.columns_of(rows)
    if any(signature.check(row) for row in rows):
        assert columns is None
    else:
        by_row = {name: [row.get(name) for row in rows] for name in signature.names}
        assert repr(columns) == repr(by_row)


@pytest.mark.parametrize("kind", ["double", "float"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 2**53 + 1, 10**400, "1", True, None])
def test_one_value_among_thousands_is_seen(kind: str, value: Any) -> None:
    """Wherever it stands."""
    signature = Signature.from_mlflow([{"type": kind, "name": "x"}])
    for at in (0, 500, 999):
        rows = [{"x": 0.5 if row % 2 else row} for row in range(1_000)]
        assert signature.columns_of(rows) is not None
        rows[at] = {"x": value}
        assert signature.columns_of(rows) is None
