"""What stands in paths and queries, read as strictly as a body."""

import re
from typing import Annotated, Any

from fastapi import Path, Query
from pydantic import BeforeValidator

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

ModelName = Annotated[str | None, Query(alias="model", pattern=r"^[\w.-]{1,128}$")]
"""Which model is to answer; left out: the match model."""

Alias = Annotated[str | None, Query(alias="alias", pattern=r"^[\w.-]{1,64}$")]
"""At which alias of the registry; left out: the one that is served by default."""

Limit = Annotated[Integer, Query(ge=1, le=1_000)]
"""How many rows at most."""

AfterMatch = Annotated[Integer | None, Query(description="the match_id that the list goes on after")]
"""Where the list goes on."""

WaitSeconds = Annotated[float, Query(alias="wait", ge=0, le=20, allow_inf_nan=False)]
"""How long to wait for an end."""
