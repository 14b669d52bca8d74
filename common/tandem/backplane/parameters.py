"""What stands in paths and queries, read as strictly as a body."""

import re
from typing import Annotated, Any, NamedTuple

from fastapi import Path, Query
from pydantic import BeforeValidator
from starlette.requests import Request

from tandem.backplane.errors import InvalidRequest
from tandem.schemas.problem import field_error

_INTEGER = re.compile(r"-?[0-9]{1,4000}")


def _plain_integer(text: Any) -> Any:
    """Digits as an integer; pydantic would also read " 42", "4_2" and "42.0"."""
    if isinstance(text, str):
        if _INTEGER.fullmatch(text) is None:
            raise ValueError("must be an integer")
        return int(text)
    return text


Integer = Annotated[int, BeforeValidator(_plain_integer)]

MatchIdInPath = Annotated[Integer, Path(alias="match_id")]
"""The match a path names."""

Limit = Annotated[Integer, Query(ge=1, le=1_000)]
"""How many rows at most."""

AfterMatch = Annotated[Integer | None, Query(description="the match_id that the list goes on after")]
"""Where the list goes on."""

WaitSeconds = Annotated[float, Query(alias="wait", ge=0, le=20, allow_inf_nan=False)]
"""How long to wait for an end."""


class Selection(NamedTuple):
    """Which model is to answer, at which alias of the registry; None: the one that is served by default."""

    model_name: str | None = None
    alias: str | None = None


_NAMES = {"model": re.compile(r"[\w.-]{1,128}", re.ASCII), "alias": re.compile(r"[\w.-]{1,64}", re.ASCII)}
_DEFAULT = Selection()

SELECTION: dict[str, Any] = {
    "parameters": [
        {
            "name": name,
            "in": "query",
            "required": False,
            "schema": {"type": "string", "pattern": f"^{pattern.pattern}$"},
        }
        for name, pattern in _NAMES.items()
    ]
}
"""The `openapi_extra` of a route that takes a selection."""


def selection_of(request: Request) -> Selection:
    """`?model=` and `?alias=`; raises InvalidRequest naming each that cannot be a name.

    Read here and not by FastAPI, whose reading of two optional parameters costs a fifth of the whole request.
    """
    if not request.scope["query_string"]:
        return _DEFAULT
    given = {name: request.query_params.get(name) for name in _NAMES}
    errors = [
        {**field_error(("query", name), f"must match {_NAMES[name].pattern}")}
        for name, value in given.items()
        if value is not None and _NAMES[name].fullmatch(value) is None
    ]
    if errors:
        raise InvalidRequest(errors)
    return Selection(given["model"], given["alias"])
