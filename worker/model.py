"""One loaded model: rows of features in, one answer per row out, a single call to the model between."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from tandem.backplane.errors import InvalidRequest, ModelError
from tandem.schemas.model_card import ModelCard
from tandem.schemas.rows import Rows
from tandem.schemas.signature import Signature
from worker.model_answer import json_bytes, match_prediction, rows_of
from worker.model_input import ModelInput
from worker.prediction_texts import PredictionTexts


class Pyfunc(Protocol):
    """What is used of `mlflow.pyfunc.PyFuncModel`."""

    def predict(self, data: Any) -> Any:
        """Predict for the rows of a frame, an array or a dict of arrays."""


class LoadedModel:
    """A model in this process's memory, and the card that tells of it."""

    def __init__(self, card: ModelCard, pyfunc: Pyfunc, *, predicts_matches: bool) -> None:
        self.card = card
        self._pyfunc = pyfunc
        self._predicts_matches = predicts_matches
        self._signature = Signature.from_mlflow(card.inputs)
        self._input = ModelInput(card.inputs)
        self._origin = {
            "model_name": card.model_name,
            "model_version": card.model_version,
            "model_run_id": card.model_run_id,
        }
        self._texts = PredictionTexts(self._origin, predicts_matches=predicts_matches)

    def warm(self) -> None:
        """Predict the model's own example once; raises whatever stops that, so that it is not served."""
        if self.card.input_example is not None:
            self.predict_rows([self.card.input_example])

    def check(self, features: Mapping[str, Any]) -> None:
        """Raise InvalidRequest, naming every fault, unless the features fit the signature exactly."""
        errors = self._signature.check(features)
        if errors:
            raise InvalidRequest(errors)

    def predict_rows(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """The prediction of each row, in order: the contract's for a match, else its answer under `output`.

        Raises whatever the model raises; InvalidRequest where a row does not fit the signature after all
        (it was checked against another version); ModelError where the answer cannot be used.
        """
        answers: list[Any] = [None] * len(rows)
        for indices, data in self._parts(rows):
            output = rows_of(self._pyfunc.predict(data), len(indices))
            for index, answer in zip(indices, output, strict=True):
                answers[index] = answer
        return [self._prediction(answer) for answer in answers]

    def predict_columns(self, rows: Rows) -> list[str]:
        """The JSON of each row's prediction, for rows by column that fit the signature. Raises likewise."""
        try:
            data = self._input.frame_of(rows)
        except (KeyError, TypeError, ValueError, OverflowError):
            data = None  # the rows one by one will say what does not fit
        if data is None:
            return [json_bytes(prediction).decode() for prediction in self.predict_rows(rows.dicts())]
        output = self._pyfunc.predict(data)
        texts = self._texts.of(output, rows.count)
        if texts is not None:
            return texts
        answers = rows_of(output, rows.count)
        return [json_bytes(self._prediction(answer)).decode() for answer in answers]

    def _parts(self, rows: Sequence[Mapping[str, Any]]) -> list[tuple[list[int], Any]]:
        try:
            return self._input.parts(rows)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            for row in rows:
                self.check(row)
            raise ModelError(f"The features do not fit the model ({type(error).__name__}).") from error

    def _prediction(self, answer: Any) -> dict[str, Any]:
        if self._predicts_matches:
            return {**match_prediction(answer), **self._origin}
        return {"output": answer, **self._origin}
