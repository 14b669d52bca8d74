"""MLflow's column types, scalar and nested, read from a signature's JSON into checks that name every fault.

The nested ones are Array, Object, Map and AnyType of `mlflow.types.schema`, as its `to_dict` writes them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from tandem.schemas.data_types import COLUMN_TYPES, DataType
from tandem.schemas.problem import FieldError, Loc, field_error

MAX_ITEMS = 10_000
"""Items of one array, and keys of one map."""


ABSENT = object()


class SignatureError(ValueError):
    """The signature is of a kind this reader does not know: the model cannot be served."""


class ColumnType(Protocol):
    """What a column, a property or an item may hold."""

    def faults(self, value: object, loc: Loc) -> Iterator[FieldError]:
        """Every fault of `value`, which is at `loc`."""
        ...

    def json_schema(self) -> dict[str, Any]:
        """The same as JSON Schema (2020-12)."""
        ...


@dataclass(frozen=True, slots=True)
class Scalar:
    """One scalar value."""

    data_type: DataType

    def faults(self, value: object, loc: Loc) -> Iterator[FieldError]:
        """See ColumnType."""
        if (fault := self.data_type.check(value)) is not None:
            yield field_error(loc, fault)

    def json_schema(self) -> dict[str, Any]:
        """See ColumnType."""
        return self.data_type.json_schema


@dataclass(frozen=True, slots=True)
class Array:
    """A list of one type."""

    items: ColumnType

    def faults(self, value: object, loc: Loc) -> Iterator[FieldError]:
        """See ColumnType."""
        if not isinstance(value, list):
            yield field_error(loc, "must be an array")
        elif len(value) > MAX_ITEMS:
            yield field_error(loc, f"must have at most {MAX_ITEMS} items")
        else:
            for index, item in enumerate(value):
                yield from self.items.faults(item, (*loc, index))

    def json_schema(self) -> dict[str, Any]:
        """See ColumnType."""
        return {"type": "array", "items": self.items.json_schema(), "maxItems": MAX_ITEMS}


@dataclass(frozen=True, slots=True)
class Object:
    """Named properties, each with a type and required or not; an optional one may be null."""

    properties: Mapping[str, tuple[ColumnType, bool]]

    def faults(self, value: object, loc: Loc) -> Iterator[FieldError]:
        """See ColumnType."""
        if not isinstance(value, dict):
            yield field_error(loc, "must be an object")
            return
        for name, (kind, required) in self.properties.items():
            given = value.get(name, ABSENT)
            if given is ABSENT:
                if required:
                    yield field_error((*loc, name), "is required")
            elif required or given is not None:
                yield from kind.faults(given, (*loc, name))
        for name in value.keys() - self.properties.keys():
            yield field_error((*loc, name), "is not a property of this object")

    def json_schema(self) -> dict[str, Any]:
        """See ColumnType."""
        return object_schema(self.properties)


@dataclass(frozen=True, slots=True)
class Map:
    """Any keys, values of one type."""

    values: ColumnType

    def faults(self, value: object, loc: Loc) -> Iterator[FieldError]:
        """See ColumnType."""
        if not isinstance(value, dict):
            yield field_error(loc, "must be an object")
        elif len(value) > MAX_ITEMS:
            yield field_error(loc, f"must have at most {MAX_ITEMS} keys")
        else:
            for key, item in value.items():
                yield from self.values.faults(item, (*loc, key))

    def json_schema(self) -> dict[str, Any]:
        """See ColumnType."""
        return {
            "type": "object",
            "additionalProperties": self.values.json_schema(),
            "maxProperties": MAX_ITEMS,
        }


@dataclass(frozen=True, slots=True)
class AnyValue:
    """Any JSON value at all."""

    def faults(self, value: object, loc: Loc) -> Iterator[FieldError]:
        """See ColumnType."""
        del value, loc
        yield from ()

    def json_schema(self) -> dict[str, Any]:
        """See ColumnType."""
        return {}


def object_schema(properties: Mapping[str, tuple[ColumnType, bool]]) -> dict[str, Any]:
    """JSON Schema of an object with exactly these properties; an optional one may also be null."""
    schemas = {name: (kind.json_schema(), required) for name, (kind, required) in properties.items()}
    return {
        "type": "object",
        "properties": {
            name: schema if required else {"anyOf": [schema, {"type": "null"}]}
            for name, (schema, required) in schemas.items()
        },
        "required": [name for name, (_, required) in schemas.items() if required],
        "additionalProperties": False,
    }


def is_required(spec: Mapping[str, Any]) -> bool:
    """Whether a column or property is required: so unless said otherwise, now or as older MLflow wrote it."""
    return bool(spec.get("required", not spec.get("optional", False)))


def column_type(spec: Mapping[str, Any]) -> ColumnType:
    """The type of one column, property or item; raises SignatureError for one that is not known."""
    kind = spec.get("type")
    if kind in COLUMN_TYPES:
        return Scalar(COLUMN_TYPES[kind])
    if kind == "array":
        return Array(column_type(spec["items"]))
    if kind == "object":
        properties: Mapping[str, Mapping[str, Any]] = spec["properties"]
        return Object({name: (column_type(inner), is_required(inner)) for name, inner in properties.items()})
    if kind == "map":
        return Map(column_type(spec["values"]))
    if kind == "any":
        return AnyValue()
    if kind == "sparkml_vector":
        return Array(Scalar(COLUMN_TYPES["double"]))
    raise SignatureError(f"the signature has a column of the unknown type {kind!r}")
