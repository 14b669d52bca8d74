"""Requests and answers of the prediction routes (docs/01-contract.md).

Requests are read strictly: a field that is not known is refused, true is no integer and "42" is no integer.
Answers may gain members, never lose or rename one.
"""

from datetime import date
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

MatchId = Annotated[int, Field(ge=0, lt=2**53)]
"""A match's number: whole, and within what every reader of JSON keeps exactly."""

Features = Annotated[dict[str, Any], Field(max_length=10_000)]
"""One row for the model; the model's own signature says what belongs in it."""

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def _callback_url(url: str) -> str:
    """Accept https, and http to this machine; what the name resolves to is checked when it is called."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        parts.port  # noqa: B018  raises where it is none
    except ValueError:
        raise ValueError("must be a URL") from None
    if not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError("must be a URL in ASCII")
    if not host or not (parts.scheme == "https" or (parts.scheme == "http" and host in LOOPBACK)):
        raise ValueError("must begin with https://, or http:// for this machine, and name a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not hold a name or password")
    return url


class _Request(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class PredictRequest(_Request):
    """Predict from these features; `match_id` is only echoed."""

    match_id: MatchId | None = None
    features: Features


class LaterRequest(_Request):
    """What every request says that is accepted now and done later."""

    callback_url: Annotated[str, Field(max_length=2_048), AfterValidator(_callback_url)] | None = None
    priority: Literal["high", "normal", "low"] = "normal"
    expires_in: int | None = Field(default=None, ge=1, le=604_800)
    """Seconds until the task is given up; the setting DEFAULT_EXPIRES_SECONDS where it is left out."""


class AsyncRequest(LaterRequest):
    """Predict later, from these features or from those stored for `match_id`."""

    match_id: MatchId | None = None
    features: Features | None = None

    @model_validator(mode="after")
    def _something_to_predict_from(self) -> "AsyncRequest":
        if self.match_id is None and self.features is None:
            raise ValueError("must have a match_id, or features, or both")
        return self


class Prediction(BaseModel):
    """What the model answered. A match model fills the first three; any other its own answer in `output`."""

    model_config = ConfigDict(extra="allow", protected_namespaces=())

    predicted_class: Literal[0, 1, 2] | None = Field(
        default=None, description="0 home win, 1 draw, 2 away win"
    )
    outcome: Literal["home_win", "draw", "away_win"] | None = None
    probabilities: dict[str, float] | None = Field(default=None, examples=[{"0": 0.58, "1": 0.27, "2": 0.15}])
    output: Any = None
    model_name: str
    model_version: str
    model_run_id: str


class PredictAnswer(BaseModel):
    """A prediction, with the match it was asked for."""

    match_id: int | None
    prediction: Prediction


class Accepted(BaseModel):
    """A task was accepted and will be terminal by its expiry; `status_url` says what becomes of it."""

    task_id: str
    status: Literal["submitted"] = "submitted"
    status_url: str


class MatchRow(BaseModel):
    """One upcoming match."""

    match_id: int
    home_team: str
    away_team: str
    match_date: date


class ModelSignature(BaseModel):
    """The MLflow signature, as MLflow writes it."""

    inputs: list[dict[str, Any]]
    outputs: list[dict[str, Any]]


class ModelInfo(BaseModel):
    """What the registry knows of a served model."""

    model_config = ConfigDict(protected_namespaces=())

    model_name: str
    model_version: str
    model_run_id: str
    alias: str
    loaded: bool
    """Whether a live worker has it in memory."""
    loaded_at: str
    metrics: dict[str, float]
    signature: ModelSignature
