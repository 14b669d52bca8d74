"""One message as work: which delivery it is, and what it asks for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tandem.backplane.errors import InvalidRequest
from tandem.backplane.task_attempts import Delivery
from tandem.schemas.problem import field_error


class Ask(BaseModel):
    """What a message asks for. Without `features`, those stored for `match_id` are meant."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", protected_namespaces=())

    model: str = Field(min_length=1)
    match_id: int | None = Field(default=None, ge=0, lt=2**53)
    features: dict[str, Any] | None = None
    alias: str | None = None


@dataclass(frozen=True)
class Work:
    """One delivery and what it asks for, or why that cannot be read."""

    delivery: Delivery
    ask: Ask | InvalidRequest
    checked: str = ""
    """The model version that the features were checked for where the message came from; "": for none."""
    model_version: str | None = None
    """The version to run it with, where not the one that the alias serves."""
    retries: int = 0
    """How often it has been put off before."""
    known: bool = False
    """Whether it came with a header of ours."""


def work_of(
    task_id: str,
    header: Any,
    names: Sequence[str],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    **fixed: Any,
) -> Work:
    """Work out of a message's parts: our own header (anything, for a message of others) and its arguments.

    `names` are those of the positional arguments; `fixed` is what the task itself decides.
    """
    ours = _header(header)
    ask = _ask(names, args, kwargs, fixed)
    if ours is None:
        return Work(Delivery(task_id), ask)
    delivery = ours.delivery(task_id)
    return Work(delivery, ask, ours.checked, ours.model_version, ours.retries, known=True)


def delivery_of(task_id: str, header: Any) -> Delivery:
    """The lifecycle's view of a message.

    A header that is missing or not ours means a client of somebody's own: accepted, without a deadline.
    """
    ours = _header(header)
    return Delivery(task_id) if ours is None else ours.delivery(task_id)


def _header(header: Any) -> "_Header | None":
    if not isinstance(header, Mapping):
        return None
    try:
        return _Header.model_validate(header)
    except ValidationError:
        return None


class _Header(BaseModel):
    """The header `tandem.backplane.message.delivery_header` writes."""

    model_config = ConfigDict(strict=True)

    submitted_ms: int
    deadline_ms: int
    accepted: bool
    reply_to: str
    checked: str = ""
    retries: int = 0
    model_version: str | None = None
    """Instead of the alias's own; the replay of a dead letter may name one."""

    def delivery(self, task_id: str) -> Delivery:
        return Delivery(task_id, self.submitted_ms, self.deadline_ms, self.accepted, self.reply_to)


def _ask(
    names: Sequence[str], args: Sequence[Any], kwargs: Mapping[str, Any], fixed: Mapping[str, Any]
) -> Ask | InvalidRequest:
    given = dict(zip(names, args, strict=False))
    if len(args) > len(names):
        return InvalidRequest([field_error(("args",), f"must be at most {len(names)}")])
    twice = [name for name in kwargs if name in given]
    if twice:
        return InvalidRequest([field_error((name,), "is given twice") for name in twice])
    unknown = [name for name in kwargs if name not in names]
    if unknown:
        return InvalidRequest([field_error((name,), "is not an argument of this task") for name in unknown])
    try:
        ask = Ask.model_validate({**given, **kwargs, **fixed})
    except ValidationError as error:
        return InvalidRequest(
            [field_error(fault["loc"], fault["msg"]) for fault in error.errors(include_input=False)]
        )
    if ask.features is None and ask.match_id is None:
        return InvalidRequest([field_error(("features",), "is required where no match_id is given")])
    return ask
