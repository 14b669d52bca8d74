"""Predictions as JSON, a text a row, written by column where a model answered with an array of numbers.

A batch has thousands of them, and all that differs from one to the next is some numbers. The texts are byte
for byte those of the predictions row by row, which take five times as long; a property test holds them to it.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from pydantic_core import to_json

from worker.model_answer import OUTCOMES, SUM_TOLERANCE, are_numbers

_MATRIX = 2
"""Dimensions of an array that has a list of numbers for each row."""


class PredictionTexts:
    """Writes the predictions of one model; `origin` is what each of them says of the model."""

    def __init__(self, origin: Mapping[str, str], *, predicts_matches: bool) -> None:
        self._predicts_matches = predicts_matches
        self._origin = to_json(origin).decode()[1:]

    def of(self, output: Any, count: int) -> list[str] | None:
        """The texts for `count` rows; None where the predictions are to be made row by row.

        So it is for all but plain arrays of numbers, and for what may be no answer of a match model.
        """
        if not count or not are_numbers(output, count) or output.ndim > _MATRIX:
            return None
        if self._predicts_matches:
            return self._of_matches(output) if _are_probabilities(output) else None
        inside = _numbers(output)
        if output.ndim == _MATRIX:
            return [f'{{"output":[{row}],{self._origin}' for row in inside[1:-1].split("],[")]
        return [f'{{"output":{number},{self._origin}' for number in inside.split(",")]

    def _of_matches(self, probabilities: Any) -> list[str]:
        heads = [
            f'{{"predicted_class":{at},"outcome":"{outcome}","probabilities":{{"0":'
            for at, outcome in enumerate(OUTCOMES)
        ]
        home, draw, away = (_numbers(column).split(",") for column in probabilities.T)
        return [
            f'{heads[likeliest]}{one},"1":{two},"2":{three}}},{self._origin}'
            for likeliest, one, two, three in zip(
                probabilities.argmax(axis=1).tolist(), home, draw, away, strict=True
            )
        ]


def _numbers(array: Any) -> str:
    """The array as JSON, without the outermost brackets."""
    return to_json(array.tolist()).decode()[1:-1]


def _are_probabilities(output: Any) -> bool:
    """Whether a match model may answer so. Close to the bound, where the order of adding counts: no."""
    return bool(
        output.dtype.kind == "f"
        and output.shape[1:] == (len(OUTCOMES),)
        and (output >= 0).all()
        and (output <= 1).all()
        and (np.abs(output.sum(axis=1, dtype=np.float64) - 1) <= SUM_TOLERANCE / 2).all()
    )
