"""MLflow's scalar column types as checks on JSON values, and as JSON Schema.

A check answers None, or says in one sentence what the column takes. Nothing is converted and nothing is let
through that a conversion would change: MLflow's own server answers 200 to 2.5 for a long (and predicts from
2), 2**31 for an integer (from -2**31), "false" for a boolean (from true), 1e300 for a float (from infinity).
Two widenings lose nothing and are taken: an integer for a floating-point column that holds it exactly, and a
whole number written as 2.0 for an integer column, which JSON does not tell from 2.

A decimal fraction is rounded to the nearest value of its column, as every reader of JSON rounds it.
"""

import math
import re
import struct
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Any

MAX_STRING_LENGTH = 10_000
MAX_BINARY_LENGTH = 1_000_000
"""Characters of base64."""

Check = Callable[[object], str | None]
Glance = Callable[[Sequence[Any], AbstractSet[type]], bool]


def _unsure(values: Sequence[Any], types: AbstractSet[type]) -> bool:
    del values, types
    return False


@dataclass(frozen=True, slots=True)
class DataType:
    """One scalar type: its check, and the JSON Schema that says the same."""

    check: Check
    json_schema: dict[str, Any]
    glance: Glance = _unsure
    """Whether all of some values, of these types, fit for sure: a loop in C instead of a call each."""

    def fits(self, values: Sequence[Any], types: AbstractSet[type]) -> bool:
        """Whether each of the values passes the check; `types` are those of the values."""
        return not values or self.glance(values, types) or all(self.check(value) is None for value in values)


_MAX_DOUBLE = 1.7976931348623157e308
_EXACT_IN_DOUBLE = 2**53
_EXACT_IN_FLOAT = 2**24
_NUMBERS = frozenset({float, int})
_FLOAT32 = struct.Struct("<f")
_FLOAT16 = struct.Struct("<e")
# datetime64[ns], the type MLflow converts to, reaches from 1677 to 2262.
_FIRST_YEAR, _LAST_YEAR = 1678, 2261
# Python's own decoder takes more, and not the same in every version.
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_ISO_8601 = re.compile(
    r"\d{4}-\d\d-\d\d(?:[T ](?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d:\d\d)?)?",
    re.ASCII,
)


def _boolean(value: object) -> str | None:
    return None if value is True or value is False else "must be true or false"


def _string(value: object) -> str | None:
    if type(value) is not str:
        return "must be a string"
    if len(value) > MAX_STRING_LENGTH:
        return f"must have at most {MAX_STRING_LENGTH} characters"
    return None


def _binary(value: object) -> str | None:
    if type(value) is not str:
        return "must be a string of base64"
    if len(value) > MAX_BINARY_LENGTH:
        return f"must have at most {MAX_BINARY_LENGTH} characters of base64"
    return None if _BASE64.fullmatch(value) is not None else "must be a string of base64"


def _datetime(value: object) -> str | None:
    if type(value) is not str or _ISO_8601.fullmatch(value) is None:
        return "must be an ISO 8601 date or date and time, to the microsecond at most"
    try:
        year = datetime.fromisoformat(value).year
    except ValueError:
        return "must be a date that exists"
    if not _FIRST_YEAR <= year <= _LAST_YEAR:
        return f"must be between the years {_FIRST_YEAR} and {_LAST_YEAR}"
    return None


def _double(value: object) -> str | None:
    if type(value) is float:
        return None if -_MAX_DOUBLE <= value <= _MAX_DOUBLE else "must be a finite number"
    if type(value) is not int:
        return "must be a number"
    if -_EXACT_IN_DOUBLE <= value <= _EXACT_IN_DOUBLE:
        return None
    try:
        exact = float(value) == value
    except OverflowError:
        exact = False
    return None if exact else "must be a number that a double holds exactly"


def _doubles(values: Sequence[Any], types: AbstractSet[type]) -> bool:
    if not types <= _NUMBERS:
        return False
    # No sum with NaN or infinity in it is finite.
    small = types == {float} or (min(values) >= -_EXACT_IN_DOUBLE and max(values) <= _EXACT_IN_DOUBLE)
    return small and math.isfinite(sum(values))


def _strings(values: Sequence[Any], types: AbstractSet[type]) -> bool:
    return types == {str} and max(map(len, values)) <= MAX_STRING_LENGTH


def _booleans(values: Sequence[Any], types: AbstractSet[type]) -> bool:
    del values
    return types == {bool}


def _narrow_float(packing: struct.Struct, name: str, exact_up_to: int) -> Check:
    def check(value: object) -> str | None:
        if (fault := _double(value)) is not None:
            return fault
        assert isinstance(value, int | float)  # noqa: S101 - what _double has just said, for the type checker
        try:
            (narrowed,) = packing.unpack(packing.pack(value))
        except OverflowError:
            return f"must be in the range of a {name}"
        if narrowed == 0.0 and value != 0:
            return f"must not be so small that a {name} makes it zero"
        if type(value) is int and not -exact_up_to <= value <= exact_up_to and narrowed != value:
            return f"must be a number that a {name} holds exactly"
        return None

    return check


def _integer(bits: int, *, signed: bool = True) -> DataType:
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    message = f"must be a whole number between {low} and {high}"

    def check(value: object) -> str | None:
        # Above 2**53 a number with a fraction has already been rounded by its reader.
        whole = type(value) is int or (
            type(value) is float and value.is_integer() and abs(value) <= _EXACT_IN_DOUBLE
        )
        return None if whole and low <= value <= high else message  # type: ignore[operator]

    def glance(values: Sequence[Any], types: AbstractSet[type]) -> bool:
        return types == {int} and bool(low <= min(values) and max(values) <= high)

    return DataType(check, {"type": "integer", "minimum": low, "maximum": high}, glance)


BOOLEAN = DataType(_boolean, {"type": "boolean"}, _booleans)
STRING = DataType(_string, {"type": "string", "maxLength": MAX_STRING_LENGTH}, _strings)
DOUBLE = DataType(_double, {"type": "number"}, _doubles)
FLOAT = DataType(
    _narrow_float(_FLOAT32, "float", _EXACT_IN_FLOAT),
    {"type": "number", "minimum": -3.4028234663852886e38, "maximum": 3.4028234663852886e38},
)
FLOAT16 = DataType(
    _narrow_float(_FLOAT16, "half float", 2**11),
    {"type": "number", "minimum": -65504, "maximum": 65504},
)

COLUMN_TYPES = {
    "boolean": BOOLEAN,
    "integer": _integer(32),
    "long": _integer(64),
    "float": FLOAT,
    "double": DOUBLE,
    "string": STRING,
    "binary": DataType(
        _binary, {"type": "string", "contentEncoding": "base64", "maxLength": MAX_BINARY_LENGTH}
    ),
    "datetime": DataType(
        _datetime, {"type": "string", "anyOf": [{"format": "date"}, {"format": "date-time"}]}
    ),
}
"""By the `type` of an MLflow column."""

TENSOR_TYPES = {
    "bool": BOOLEAN,
    **{f"int{bits}": _integer(bits) for bits in (8, 16, 32, 64)},
    **{f"uint{bits}": _integer(bits, signed=False) for bits in (8, 16, 32, 64)},
    "float16": FLOAT16,
    "float32": FLOAT,
    "float64": DOUBLE,
    "str": STRING,
    "object": STRING,
}
"""By the `dtype` of an MLflow tensor; numpy writes text as `str` or `object`."""
