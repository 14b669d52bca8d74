"""Many rows as one job: its request, and its result (docs/02-the-contract.md)."""

from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidatorFunctionWrapHandler, WrapValidator, model_validator

from tandem.schemas.prediction import LaterRequest, MatchId, Prediction
from tandem.schemas.problem import FieldError

MAX_ROWS = 50_000
"""Rows of one job."""

_LIST: Any = Field(min_length=1, max_length=MAX_ROWS, fail_fast=True)


def _objects(value: Any, read: ValidatorFunctionWrapHandler) -> Any:
    """Take JSON's objects as they are: what belongs in one is the model's to say, and reading copies them."""
    if type(value) is list and len(value) <= MAX_ROWS and set(map(type, value)) == {dict}:
        return value
    return read(value)


class BatchRequest(LaterRequest):
    """Predict many rows later: from features, from those stored for matches, or from an upload of either.

    A row that does not fit the model is no fault of the request: it fails alone, in the result.
    """

    rows: Annotated[list[dict[str, Any]], _LIST, WrapValidator(_objects)] | None = None
    match_ids: Annotated[list[MatchId], _LIST] | None = None
    upload: Annotated[str, Field(max_length=200)] | None = None
    """The id that `POST /uploads` gave."""

    @model_validator(mode="after")
    def _one_source(self) -> "BatchRequest":
        if [self.rows, self.match_ids, self.upload].count(None) != len(("rows", "match_ids", "upload")) - 1:
            raise ValueError("must have one of rows, match_ids and upload")
        return self


class RowFaults(BaseModel):
    """Why one row has no prediction; `row` counts from 0."""

    row: int
    errors: list[FieldError]


class BatchResult(BaseModel):
    """The predictions in the order of the rows, null for each row that `errors` names."""

    predictions: list[Prediction | None]
    errors: list[RowFaults]
