"""One chunk of a job in a worker: its rows by column, those refused at the door, and what is made of both."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, InstanceOf, model_validator
from pydantic_core import to_json

from tandem.backplane.bulk_parts import Chunk
from tandem.backplane.errors import InvalidRequest, TandemError
from tandem.schemas.batch import RowFaults
from tandem.schemas.problem import FieldError, field_error
from tandem.schemas.rows import Rows, decoded
from worker.model_answer import json_bytes
from worker.model_code import model_code
from worker.predictor import predict_each

if TYPE_CHECKING:
    from worker.model import LoadedModel


class ChunkAsk(BaseModel):
    """What a chunk's message asks for, as `tandem.backplane.bulk` writes it."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    model: str
    alias: str
    source: str
    """`rows` or `match_ids`, for the `loc` of an error."""
    first: int = Field(ge=0)
    last: int
    total: int
    cut: int
    rows: Annotated[InstanceOf[Rows], BeforeValidator(decoded)]
    errors: list[RowFaults]

    @model_validator(mode="after")
    def _adds_up(self) -> "ChunkAsk":
        bad = [fault.row for fault in self.errors]
        if not self.first < self.last <= self.total or sorted(set(bad)) != bad:
            raise ValueError("the rows do not add up")
        if bad and not (self.first <= bad[0] and bad[-1] < self.last):
            raise ValueError("the errors are of other rows")
        if self.last - self.first != len(bad) + self.rows.count:
            raise ValueError("the rows do not add up")
        return self

    def of_task(self, task_id: str) -> Chunk:
        """Where it stands in its job."""
        return Chunk(task_id, self.first, self.last, self.total, self.cut)


class ChunkRows:
    """The rows of a chunk, good and bad, by their place in the job."""

    def __init__(self, ask: ChunkAsk) -> None:
        self._rows = ask.rows
        self._source = ask.source
        self._faults = {fault.row: fault.errors for fault in ask.errors}
        self._good = [row for row in range(ask.first, ask.last) if row not in self._faults]

    def predict(self, model: "LoadedModel", first: int, last: int, *, checked: bool) -> tuple[bytes, bytes]:
        """Predictions and errors of the rows `first` to `last`, each as JSON without the brackets.

        `checked` says that the rows fit this version of the model, and need not be looked at again.
        """
        start, stop = bisect_left(self._good, first), bisect_left(self._good, last)
        predictions = ["null"] * (last - first)
        errors = {row: faults for row, faults in self._faults.items() if first <= row < last}
        answers = _answers(model, self._rows[start:stop], checked=checked)
        for row, answer in zip(self._good[start:stop], answers, strict=True):
            if isinstance(answer, TandemError):
                errors[row] = self._errors_of(row, answer)
            else:
                predictions[row - first] = answer
        named = [{"row": row, "errors": errors[row]} for row in sorted(errors)]
        return ",".join(predictions).encode(), to_json(named)[1:-1]

    def _errors_of(self, row: int, error: TandemError) -> list[FieldError]:
        if isinstance(error, InvalidRequest):
            return [
                field_error((self._source, row, *fault["loc"][1:]), fault["msg"]) for fault in error.errors
            ]
        return [field_error((self._source, row), error.detail)]


def _answers(model: "LoadedModel", rows: Rows, *, checked: bool) -> Sequence[str | TandemError]:
    """The JSON of each row's prediction, or why it has none."""
    if not rows.count:
        return []
    if checked:
        try:
            with model_code():
                return model.predict_columns(rows)
        except TandemError:
            return _texts(predict_each(model, rows.dicts()))  # which finds the rows that are at fault
    dicts = rows.dicts()
    answers: list[Any] = [_fault(model, row) for row in dicts]
    fitting = [index for index, fault in enumerate(answers) if fault is None]
    predictions = _texts(predict_each(model, [dicts[index] for index in fitting]))
    for index, prediction in zip(fitting, predictions, strict=True):
        answers[index] = prediction
    return answers


def _texts(predictions: Sequence[Mapping[str, Any] | TandemError]) -> list[str | TandemError]:
    return [one if isinstance(one, TandemError) else json_bytes(one).decode() for one in predictions]


def _fault(model: "LoadedModel", row: Mapping[str, Any]) -> InvalidRequest | None:
    try:
        model.check(row)
    except InvalidRequest as error:
        return error
    return None
