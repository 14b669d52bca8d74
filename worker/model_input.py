"""Rows of features to what a pyfunc takes: a typed frame, or tensors, as the signature says.

Each column gets exactly the type that MLflow's schema check expects, so that the check converts nothing. A
missing optional value is NaN, NaT or null; whole numbers know no such value, so there the column is left out,
which is the only form of "missing" that MLflow takes for them.
"""

import binascii
import math
from array import array
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd

from tandem.schemas.rows import Rows

Row = Mapping[str, Any]
Column = Callable[[list[Any]], Any]


class ModelInput:
    """Builds a model's input from the `inputs` of its signature (the list of dicts of a model card)."""

    def __init__(self, inputs: Sequence[Mapping[str, Any]]) -> None:
        self._tensors = [spec for spec in inputs if spec.get("type") == "tensor"]
        self._columns = {
            _name_of(spec, at): _COLUMNS.get(str(spec["type"]), _objects)
            for at, spec in enumerate(inputs)
            if spec.get("type") != "tensor"
        }
        self._never_missing = [
            name for name, column in self._columns.items() if column is _integers or column is _longs
        ]
        kinds = {*self._columns.values()}
        self._names = pd.Index(list(self._columns)) if len(kinds) == 1 and kinds <= {*_BUFFERS} else None
        """The names of columns that are all of one type of number: their frame is one block."""

    def parts(self, rows: Sequence[Row]) -> list[tuple[list[int], Any]]:
        """Split rows into as few inputs as possible: pairs of row indices and the input for these rows.

        One pair unless rows differ in which whole numbers they miss. Raises KeyError, TypeError, ValueError
        or OverflowError where a row does not fit the signature.
        """
        groups: dict[tuple[str, ...], list[int]] = {}
        for index, row in enumerate(rows):
            groups.setdefault(self._left_out(row), []).append(index)
        return [
            (indices, self._input([rows[index] for index in indices], left_out))
            for left_out, indices in groups.items()
        ]

    def frame_of(self, rows: Rows) -> Any | None:
        """Rows by column as one input, the same as `parts` makes of them; None where only `parts` can.

        That is for tensors, and where a row misses a whole number. Raises as `parts` does.
        """
        if self._tensors or any(
            not isinstance(rows.columns.get(name), array) for name in self._never_missing
        ):
            return None
        if self._names is not None and all(
            isinstance(rows.columns.get(name), array) for name in self._columns
        ):
            # A copy: a model may write into its input.
            return self._block([rows.columns[name] for name in self._columns])
        return pd.DataFrame(
            {
                name: np.array(values, dtype=_BUFFERS[column])  # a copy: a model may write into its input
                if isinstance(values := rows.columns.get(name, [None] * rows.count), array)
                else column(list(values))
                for name, column in self._columns.items()
            }
        )

    def _left_out(self, row: Row) -> tuple[str, ...]:
        return tuple(name for name in self._never_missing if row.get(name) is None)

    def _input(self, rows: list[Row], left_out: tuple[str, ...]) -> Any:
        if self._tensors:
            return self._tensor_input(rows)
        if self._names is not None and not left_out:
            return self._block(
                [column([row.get(name) for row in rows]) for name, column in self._columns.items()]
            )
        return pd.DataFrame(
            {
                name: column([row.get(name) for row in rows])
                for name, column in self._columns.items()
                if name not in left_out
            }
        )

    def _block(self, columns: list[Any]) -> Any:
        """What pandas makes of a dict of these columns of numbers, in a tenth of the time."""
        assert self._names is not None  # noqa: S101  the columns are of one type
        [kind] = {*self._columns.values()}
        # The names are a view, because a model may name them.
        return pd.DataFrame(np.array(columns, dtype=_BUFFERS[kind]).T, columns=self._names.view(), copy=False)

    def _tensor_input(self, rows: list[Row]) -> Any:
        stacked = {
            _name_of(spec, at): np.asarray(
                [row[_name_of(spec, at)] for row in rows], dtype=np.dtype(spec["tensor-spec"]["dtype"])
            )
            for at, spec in enumerate(self._tensors)
        }
        # A signature without names is one tensor, and the model takes it bare.
        return stacked if "name" in self._tensors[0] else next(iter(stacked.values()))


def _name_of(spec: Mapping[str, Any], at: int) -> str:
    return str(spec.get("name", at))


def _only(values: list[Any], *types: type) -> list[Any]:
    """The values, or TypeError: numpy and pandas would read "1", true and 2.5 as whatever is asked for."""
    if not set(map(type, values)) <= {*types, type(None)}:
        raise TypeError("a value is of another type than its column")
    return values


def _booleans(values: list[Any]) -> Any:
    return pd.Series(_only(values, bool), dtype=object if None in values else bool)


def _whole(values: list[Any]) -> list[int]:
    whole = [int(value) for value in _only(values, int, float)]
    if whole != values:
        raise ValueError("a value of a column of whole numbers has a fraction")
    return whole


def _integers(values: list[Any]) -> Any:
    return np.array(_whole(values), dtype=np.int32)


def _longs(values: list[Any]) -> Any:
    return np.array(_whole(values), dtype=np.int64)


def _numbers(values: list[Any]) -> list[float]:
    return [math.nan if value is None else value for value in _only(values, int, float)]


def _floats(values: list[Any]) -> Any:
    return np.array(_numbers(values), dtype=np.float32)


def _doubles(values: list[Any]) -> Any:
    return np.array(_numbers(values), dtype=np.float64)


def _strings(values: list[Any]) -> Any:
    # The type pandas itself gives text, so that a model meets what it was trained on.
    return pd.Series(_only(values, str), dtype="str")


def _binaries(values: list[Any]) -> Any:
    return pd.Series(
        [None if value is None else binascii.a2b_base64(value, strict_mode=True) for value in values],
        dtype=object,
    )


def _datetimes(values: list[Any]) -> Any:
    return pd.Series([None if value is None else _instant(value) for value in values], dtype="datetime64[ns]")


def _instant(text: str) -> datetime:
    """ISO 8601 to a naive instant, in UTC where the text names an offset: MLflow takes no time zones."""
    instant = datetime.fromisoformat(text)
    return instant if instant.tzinfo is None else instant.astimezone(UTC).replace(tzinfo=None)


def _objects(values: list[Any]) -> Any:
    return pd.Series(values, dtype=object)


_COLUMNS: dict[str, Column] = {
    "boolean": _booleans,
    "integer": _integers,
    "long": _longs,
    "float": _floats,
    "double": _doubles,
    "string": _strings,
    "binary": _binaries,
    "datetime": _datetimes,
}

_BUFFERS: dict[Column, Any] = {
    _integers: np.int32,
    _longs: np.int64,
    _floats: np.float32,
    _doubles: np.float64,
}
"""The columns that travel as buffers."""
