"""One header out of a request's scope, without making a mapping of them all for it."""

from collections.abc import Mapping
from typing import Any


def header_of(scope: Mapping[str, Any], name: bytes) -> str | None:
    """The value of the first header of this name, which is in lower case as ASGI has them; None: absent."""
    for known, value in scope["headers"]:
        if known == name:
            return str(value, "latin-1")
    return None


def headers_of(scope: Mapping[str, Any], name: bytes) -> list[str]:
    """The values of all headers of this name."""
    return [str(value, "latin-1") for known, value in scope["headers"] if known == name]
