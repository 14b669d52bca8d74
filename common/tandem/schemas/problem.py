"""What an error looks like on the wire: RFC 9457 problem details, with the faults of single fields."""

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict  # pydantic reads typing's own only from 3.12 on

Loc = tuple[str | int, ...]
"""Where a fault is: names and positions from the top of the body, or `("query", "alias")` and the like."""

MAX_NAME_LENGTH = 100
"""Characters of a caller's own key that a `loc` repeats."""


class FieldError(TypedDict):
    """One field that does not fit; `msg` says what would, and never repeats what was sent."""

    loc: list[str | int]
    msg: str


def field_error(loc: Loc, msg: str) -> FieldError:
    """The fault at `loc`; a name longer than the bound is cut."""
    return {"loc": [_cut(part) if isinstance(part, str) else part for part in loc], "msg": msg}


def _cut(name: str) -> str:
    return name if len(name) <= MAX_NAME_LENGTH else name[:MAX_NAME_LENGTH] + "…"


class Problem(BaseModel):
    """Every answer of 400 and above, as `application/problem+json`; some types add members of their own."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=["/problems/invalid-request"])
    title: str
    status: int = Field(ge=400, le=599)
    detail: str
    instance: str
    request_id: str
    errors: list[FieldError] | None = None
