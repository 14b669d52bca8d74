"""The id that one request goes by in its answer, in every problem and in the log."""

import itertools
import os
import re
import secrets
from collections.abc import Mapping
from typing import Any

_SANE = re.compile(r"[A-Za-z0-9._=+/-]{1,128}")
HEADER = b"x-request-id"
_origin = secrets.token_hex(8)
_numbers = itertools.count()


def request_id_of(scope: Mapping[str, Any]) -> str:
    """API Gateway's own id, else the caller's `X-Request-Id` if it is harmless, else a new one."""
    event = scope.get("aws.event")
    context = event.get("requestContext") if isinstance(event, Mapping) else None
    given = context.get("requestId") if isinstance(context, Mapping) else None
    if given is None:
        given = next((value.decode("latin-1") for name, value in scope["headers"] if name == HEADER), None)
    return given if isinstance(given, str) and _SANE.fullmatch(given) else _new_id()


def _new_id() -> str:
    """One that no other request has. It need not be hard to guess, and asking the system for each costs."""
    return f"{_origin}{os.getpid():x}-{next(_numbers):x}"
