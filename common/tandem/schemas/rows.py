"""Rows of features by column, as the chunks of a batch travel: numbers as one buffer, the rest as JSON.

    {"count": 2, "columns": {"home_elo": {"f8": "<base64>"}, "wins": {"i8": "<base64>"},
                             "city": {"json": ["a", null]}}}

A buffer holds little-endian doubles, or 64-bit integers, one a row. What a row leaves out or gives as null is
missing: NaN in a buffer of doubles (no row can hold one of its own), null in JSON. Whole numbers know no such
value, so a column of them that misses one is JSON. A column that every row misses is left out. What the model
sees is the same as if the rows had travelled one by one; whole numbers written as 2.0 arrive as 2.
"""

import base64
import binascii
import sys
from array import array
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import isnan, nan
from typing import Any

Column = Sequence[Any]
"""The values of one column, a row each: an array of numbers, or a list."""

_DOUBLES = frozenset({"double", "float"})
_INTEGERS = frozenset({"long", "integer"})
_TYPECODES = {"f8": "d", "i8": "q"}
_ITEM_BYTES = 8


@dataclass(frozen=True)
class Rows:
    """`count` rows; `columns` has those that any row has a value for."""

    count: int
    columns: Mapping[str, Column]

    def __getitem__(self, wanted: slice) -> "Rows":
        """Some of the rows, as a range says."""
        return Rows(
            len(range(*wanted.indices(self.count))),
            {name: column[wanted] for name, column in self.columns.items()},
        )

    def dicts(self) -> list[dict[str, Any]]:
        """Row by row, without what is missing."""
        rows: list[dict[str, Any]] = [{} for _ in range(self.count)]
        for name, column in self.columns.items():
            for row, value in zip(rows, column, strict=True):
                if value is not None and not (isinstance(column, array) and isnan(value)):
                    row[name] = value
        return rows


def encoded(rows: Sequence[Mapping[str, Any]], kinds: Mapping[str, str]) -> dict[str, Any]:
    """The document of rows that fit their signature; `kinds` gives the MLflow type of each column."""
    return encoded_columns(len(rows), {name: [row.get(name) for row in rows] for name in kinds}, kinds)


def encoded_columns(count: int, columns: Mapping[str, list[Any]], kinds: Mapping[str, str]) -> dict[str, Any]:
    """The same of rows that are by column already, None where a value is missing."""
    filled = {
        name: _encoded_column(values, kinds[name])
        for name, values in columns.items()
        if any(value is not None for value in values)
    }
    return {"count": count, "columns": filled}


def _encoded_column(values: list[Any], kind: str) -> dict[str, Any]:
    if kind in _DOUBLES:
        try:
            numbers = array("d", values)
        except TypeError:  # at a value that is missing
            numbers = array("d", [nan if value is None else value for value in values])
        return {"f8": _text_of(numbers)}
    if kind in _INTEGERS:
        with suppress(TypeError):  # likewise
            return {"i8": _text_of(array("q", map(int, values)))}
    return {"json": values}


def _text_of(numbers: "array[Any]") -> str:
    if sys.byteorder == "big":
        numbers.byteswap()
    return base64.b64encode(numbers.tobytes()).decode("ascii")


def decoded(document: Any) -> Rows:
    """The rows of a document that `encoded` made; raises ValueError for any other."""
    try:
        count, columns = document["count"], document["columns"]
        if type(count) is not int or len(document) != len(("count", "columns")):
            raise ValueError("no rows by column")
        return Rows(count, {name: _decoded_column(column, count) for name, column in columns.items()})
    except (LookupError, TypeError, AttributeError, binascii.Error) as error:
        raise ValueError("no rows by column") from error


def _decoded_column(column: Any, count: int) -> Column:
    [(form, content)] = column.items()
    if form == "json":
        if type(content) is not list or len(content) != count:
            raise ValueError("a column is no list of the rows' number")
        return content
    numbers: array[Any] = array(_TYPECODES[form], base64.b64decode(content, validate=True))
    if len(numbers) != count:
        raise ValueError("a column's buffer is not of the rows' number")
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
