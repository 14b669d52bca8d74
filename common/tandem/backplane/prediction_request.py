"""From a request to a message: which model is meant, whether the row fits it, how the task travels."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import to_json

from tandem.backplane.edge import Edge
from tandem.backplane.errors import (
    InvalidRequest,
    MatchNotFound,
    ModelNotFound,
    StaleFeatures,
    WorkersUnavailable,
)
from tandem.backplane.field_errors import field_errors_of
from tandem.backplane.message import Message, delivery_header, task_body, task_headers
from tandem.backplane.parameters import Selection
from tandem.schemas.model_card import ModelCard
from tandem.schemas.problem import FieldError, field_error
from tandem.schemas.signature import Signature

RequestModel = TypeVar("RequestModel", bound=BaseModel)

MAX_FIELDS = 100
"""Members of a body; features are bounded by the model."""

_NO_ERRORS: list[FieldError] = []
_compiled: dict[tuple[str, str], tuple[ModelCard, Signature]] = {}
"""By name and alias; as many as there are model cards."""


def new_task_id() -> str:
    """A task's id: random, so that nobody finds another's by counting."""
    return str(uuid.uuid4())


def status_url_of(task_id: str) -> str:
    """Where the state of a task is read."""
    return f"/monitoring/task_status/{task_id}"


async def served_model(edge: Edge, selection: Selection) -> ModelCard:
    """The card of the model that a request means: the match model's where it names none.

    Raises ModelNotFound, or WorkersUnavailable where no worker has loaded the default model yet.
    """
    model_name = selection.model_name or edge.settings.match_model
    catalog = await edge.catalog.read()
    try:
        return catalog.card(model_name, selection.alias or edge.settings.model_alias)
    except ModelNotFound:
        if selection == (None, None):
            raise WorkersUnavailable("No worker has loaded the model yet.") from None
        raise


async def is_loaded(edge: Edge, card: ModelCard) -> bool:
    """Whether a live worker has the model in memory. Raises StoreUnavailable."""
    try:
        (await edge.catalog.read()).require_worker(card.model_name, card.alias)
    except WorkersUnavailable:
        return False
    return True


def read_request(request_model: type[RequestModel], value: Any, card: ModelCard) -> RequestModel:
    """Read `value` as a request whose features fit the model; raises InvalidRequest naming every fault."""
    if isinstance(value, Mapping) and len(value) > MAX_FIELDS:
        raise InvalidRequest([{**field_error((), f"must have at most {MAX_FIELDS} members")}])
    features = value.get("features") if isinstance(value, Mapping) else None
    errors = signature_of(card).check(features) if isinstance(features, Mapping) else _NO_ERRORS
    try:
        request = request_model.model_validate(value)
    except ValidationError as invalid:
        found = invalid.errors(include_url=False, include_context=False, include_input=False)
        raise InvalidRequest([{**error} for error in (*field_errors_of(found), *errors)]) from None
    if errors:
        raise InvalidRequest([{**error} for error in errors])
    return request


async def stored_features(edge: Edge, match_id: int, card: ModelCard) -> dict[str, Any]:
    """The features stored for a match, checked; raises MatchNotFound, StaleFeatures or InvalidRequest."""
    match = await edge.matches.get(match_id)
    if match is None:
        raise MatchNotFound("No features are stored for this match.")
    if (edge.settings.today - match.as_of).days > edge.settings.max_feature_age_days:
        raise StaleFeatures(f"The stored features of this match are of {match.as_of.isoformat()}.")
    errors = signature_of(card).check(match.features)
    if errors:
        raise InvalidRequest([{**error} for error in errors], "The stored features do not fit this model.")
    return dict(match.features)


@dataclass(frozen=True, slots=True)
class PredictionRequest:
    """One row, checked, for one model."""

    card: ModelCard
    features: Mapping[str, Any]
    match_id: int | None = None

    def waited_for(
        self, edge: Edge, task_id: str, *, queue: str, submitted_ms: int, seconds: float
    ) -> Message:
        """The message of a caller that waits and has no id: gone when the caller is."""
        header = delivery_header(
            submitted_ms=submitted_ms,
            deadline_ms=submitted_ms + int(seconds * 1000),
            accepted=False,
            reply_to=edge.replies.channel,
            checked=self.card.model_version,
        )
        return self._message(edge, task_id, queue, header, expiration_seconds=seconds)

    def accepted(self, edge: Edge, task_id: str, *, queue: str, reply_to: str = "") -> Message:
        """The message of an accepted task: kept until it has been done."""
        header = delivery_header(
            submitted_ms=edge.catalog.now_ms(), reply_to=reply_to, checked=self.card.model_version
        )
        return self._message(edge, task_id, queue, header)

    def _message(
        self,
        edge: Edge,
        task_id: str,
        queue: str,
        header: Mapping[str, Any],
        expiration_seconds: float | None = None,
    ) -> Message:
        is_match_model = self.card.model_name == edge.settings.match_model
        task = "predict_match" if is_match_model else "predict"
        kwargs: dict[str, Any] = {} if is_match_model else {"model": self.card.model_name}
        kwargs |= {"alias": self.card.alias, "match_id": self.match_id}
        return Message(
            task_id=task_id,
            queue=queue,
            body=task_body(kwargs, to_json(self.features)),
            headers=task_headers(task, task_id, header),
            durable=expiration_seconds is None,
            expiration_seconds=expiration_seconds,
        )


def signature_of(card: ModelCard) -> Signature:
    """The card's signature, compiled when the card says something new and not for every reading of it."""
    key = (card.model_name, card.alias)
    known = _compiled.get(key)
    if known is not None and known[0] is card:
        return known[1]
    same = known is not None and known[0].inputs == card.inputs
    signature = known[1] if known is not None and same else Signature.from_mlflow(card.inputs)
    _compiled[key] = (card, signature)
    return signature
