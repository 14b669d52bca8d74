"""A task as it travels: Celery's message protocol 2, built without importing Celery.

Source: docs.celeryq.dev, "Message Protocol", version 2; a test compares it with Celery's own builder.
"""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pydantic_core import to_json

EMBED = b'{"callbacks": null, "errbacks": null, "chain": null, "chord": null}'
HEADER = "tandem"
"""The one header of our own: what the lifecycle needs to know of a delivery."""


@dataclass(frozen=True)
class Message:
    """One message, ready to be published."""

    task_id: str
    queue: str
    body: bytes
    headers: Mapping[str, Any]
    durable: bool
    expiration_seconds: float | None = None
    """How long the broker keeps it for a worker to take; None: until it is taken."""


CONSTANT_HEADERS: dict[str, Any] = {
    "lang": "py",
    "group": None,
    "retries": 0,
    "parent_id": None,
    "argsrepr": "-",
    "kwargsrepr": "-",
    "ignore_result": True,
}
"""What Celery's headers say of every new task.

Celery's own client writes eight more. The protocol calls them optional, and of ours they would only say
"none", each to be taken apart by the worker.
"""


@lru_cache(maxsize=4)
def _origin(pid: int) -> str:
    return f"{pid}@{socket.gethostname()}"


def delivery_header(
    *, submitted_ms: int, deadline_ms: int = 0, accepted: bool = True, reply_to: str = "", checked: str = ""
) -> dict[str, Any]:
    """What `worker/work.py` reads back; `checked` is the model version that the features were checked for."""
    return {
        "submitted_ms": submitted_ms,
        "deadline_ms": deadline_ms,
        "accepted": accepted,
        "reply_to": reply_to,
        "checked": checked,
    }


def task_headers(task: str, task_id: str, delivery: Mapping[str, Any]) -> dict[str, Any]:
    """Celery's headers of a task with no retries yet, plus our own; arguments are never repeated in them."""
    return CONSTANT_HEADERS | {
        "task": task,
        "id": task_id,
        "root_id": task_id,
        "origin": _origin(os.getpid()),
        HEADER: dict(delivery),
    }


def task_body(kwargs: Mapping[str, Any], features_json: bytes) -> bytes:
    """Body of a task: `kwargs` and, under `features`, JSON that has been checked and goes on as it came."""
    head = to_json(kwargs)[:-1]
    comma = b"," if kwargs else b""
    return b"".join((b"[[], ", head, comma, b'"features": ', features_json, b"}, ", EMBED, b"]"))
