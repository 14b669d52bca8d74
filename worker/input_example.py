"""The first row of a model's own input example, as the features of a request would write it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tandem.schemas.signature import Signature
from worker.model_answer import json_value


def example_row(example: Any, inputs: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Features that fit the signature, or None where the example cannot be written as such.

    `example` is what MLflow read back: a frame, an array, a dict of columns or of one row's values, a list.
    """
    signature = Signature.from_mlflow(inputs)
    optional = {str(spec.get("name", at)) for at, spec in enumerate(inputs) if not spec.get("required", True)}
    for row in _readings(example, signature.names):
        features = {
            name: value
            for name, value in ((name, json_value(value)) for name, value in row.items())
            if not (value is None and name in optional)
        }
        if not signature.check(features):
            return features
    return None


def _readings(example: Any, names: tuple[str, ...]) -> list[dict[str, Any]]:
    """The ways in which an example can be meant, likeliest first."""
    if isinstance(example, pd.DataFrame):
        columns = {str(name): example[name] for name in example.columns}
        return [{name: column.iloc[0] for name, column in columns.items()}] if len(example) else []
    if isinstance(example, Mapping):
        whole = {str(name): value for name, value in example.items()}
        listed = all(isinstance(value, list | np.ndarray) and len(value) for value in whole.values())
        return [{name: value[0] for name, value in whole.items()}, whole] if listed else [whole]
    if isinstance(example, list | np.ndarray) and len(example):
        first = example[0]
        if isinstance(first, Mapping):
            return [{str(name): value for name, value in first.items()}]
        return (
            [{names[0]: first}, dict(zip(names, first, strict=False))]
            if _is_row(first)
            else [{names[0]: first}]
        )
    return []


def _is_row(value: Any) -> bool:
    return isinstance(value, list | tuple | np.ndarray)
