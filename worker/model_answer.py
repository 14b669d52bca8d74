"""What a pyfunc answered, cut into one JSON value per row.

A pyfunc may answer with a frame, a series, an array, a list or a dict of columns; whichever it is, the
answer of a row is that row of it. NaN and infinity are no JSON and become null; times are ISO 8601, bytes
base64. What has no form in JSON is the model's fault and is said so.
"""

import json
import math
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
from pydantic_core import to_json

from tandem.backplane.errors import ModelError

OUTCOMES = ("home_win", "draw", "away_win")
"""Names of the match model's classes 0, 1 and 2."""
_CLASSES = ("0", "1", "2")
_NUMBERS = {float, int}
SUM_TOLERANCE = 1e-3
_DOUBLE_BYTES = 8


def rows_of(output: Any, count: int) -> list[Any]:
    """The answers for `count` rows, as JSON values in the order of the rows; raises ModelError."""
    answers: list[Any]
    if isinstance(output, pd.DataFrame):
        answers = output.to_dict(orient="records")
    elif isinstance(output, pd.Series):
        answers = output.tolist()
    elif hasattr(output, "toarray"):  # a sparse matrix
        answers = list(output.toarray())
    elif isinstance(output, np.ndarray):
        if are_numbers(output, count):
            return list(output.tolist())  # JSON already, and ten times as fast as number by number
        answers = list(output) if output.ndim else [output[()]]
    elif isinstance(output, Mapping):
        answers = _rows_of_columns(output, count)
    elif isinstance(output, Sequence) and not isinstance(output, str | bytes):
        answers = list(output)
    else:
        answers = [output]
    if len(answers) != count:
        raise ModelError(f"The model answered with {len(answers)} rows for {count}.")
    return [json_value(answer) for answer in answers]


def are_numbers(output: Any, count: int) -> bool:
    """Whether this is an array with an item a row, all of it numbers or truth values that JSON can hold."""
    return (
        isinstance(output, np.ndarray)
        and output.ndim > 0
        and len(output) == count
        and output.dtype.kind in "fiub"
        and output.dtype.itemsize <= _DOUBLE_BYTES
        and bool(np.isfinite(output).all())
    )


def json_bytes(value: Any) -> bytes:
    """The JSON of a value that `json_value` gave."""
    try:
        return to_json(value, inf_nan_mode="null")
    except ValueError:  # half a surrogate pair, which only an escape can say
        return json.dumps(value, allow_nan=False).encode()


def _rows_of_columns(columns: Mapping[Any, Any], count: int) -> list[Any]:
    if all(isinstance(column, Sequence | np.ndarray | pd.Series) for column in columns.values()) and all(
        len(column) == count and not isinstance(column, str | bytes) for column in columns.values()
    ):
        return [{name: column[index] for name, column in columns.items()} for index in range(count)]
    return [columns]


def json_value(value: Any) -> Any:  # noqa: C901, PLR0911  one type, one line
    """`value` as JSON; raises ModelError for a type that has no form in it."""
    if value is None or isinstance(value, bool | str) or type(value) is int:
        return value
    if isinstance(value, float):  # numpy's float64 too
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(json_value(name)): json_value(item) for name, item in value.items()}
    if isinstance(value, np.ndarray | pd.Series | pd.Index):
        return [json_value(item) for item in value.tolist()]
    if isinstance(value, list | tuple | set | frozenset):
        return [json_value(item) for item in value]
    if value is pd.NaT or value is pd.NA:
        return None
    if isinstance(value, datetime | date | time):  # pandas' Timestamp too
        return value.isoformat()
    if isinstance(value, np.datetime64):
        return json_value(pd.Timestamp(value))
    if isinstance(value, timedelta | np.timedelta64):
        return json_value(pd.Timedelta(value).total_seconds())
    if isinstance(value, np.generic):
        return json_value(value.item())
    if isinstance(value, Decimal):
        return json_value(float(value))
    if isinstance(value, bytes | bytearray | memoryview):
        return b64encode(value).decode()
    raise ModelError(f"The model answered with a {type(value).__name__}, which has no form in JSON.")


def match_prediction(answer: Any) -> dict[str, Any]:
    """The contract's prediction of a match, from the probabilities of classes 0, 1 and 2.

    `answer` is a list of the three, or an object with the members "0", "1" and "2", bare or under
    "probabilities". Raises ModelError where they are not three probabilities that sum to one.
    """
    if isinstance(answer, Mapping):
        given = answer.get("probabilities", answer)
        answer = [given.get(name) for name in _CLASSES] if isinstance(given, Mapping) else given
    if (
        not isinstance(answer, list)
        or len(answer) != len(OUTCOMES)
        or not set(map(type, answer)) <= _NUMBERS
        or not 0 <= min(answer) <= max(answer) <= 1
        or abs(sum(answer) - 1) > SUM_TOLERANCE
    ):
        raise ModelError("The match model must answer with the probabilities of classes 0, 1 and 2.")
    likeliest = answer.index(max(answer))
    return {
        "predicted_class": likeliest,
        "outcome": OUTCOMES[likeliest],
        "probabilities": dict(zip(_CLASSES, map(float, answer), strict=True)),
    }
