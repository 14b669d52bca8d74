"""kombu's Redis transport, behind a sieve: what lies in a queue's list and is no message becomes one.

Anybody who reaches Redis can push anything into the list. kombu reads it inside the event loop and ends the
worker with whatever it stumbles over. Here such an item turns into a message without headers, which the door
(`worker/guarded_consumer.py`) dead-letters as it does others.
"""

import base64
import binascii
import json
import uuid
from typing import Any, ClassVar

from kombu.transport import TRANSPORT_ALIASES
from kombu.transport import redis as kombu_redis

from tandem.backplane.topology import NORMAL


class Channel(kombu_redis.Channel):
    """Sees each item of a list as a message that kombu can read."""

    is_busy: ClassVar["staticmethod[[], bool]"] = staticmethod(lambda: False)
    """Whether the event loop is about to stand still. What BRPOP takes out of Redis meanwhile is nowhere but
    in a socket, and lost with a worker that is killed before it reads it."""

    def _brpop_start(self, *args: Any, **kwargs: Any) -> None:
        if not self.is_busy():
            super()._brpop_start(*args, **kwargs)  # type: ignore[misc]  # missing in its stubs

    def _create_client(self, asynchronous: bool = False) -> Any:  # noqa: FBT001, FBT002  kombu calls it so
        client = super()._create_client(asynchronous)  # type: ignore[misc]  # missing in its stubs
        client.set_response_callback("BRPOP", _read_popped)
        client.set_response_callback("RPOP", lambda item, **_: item and readable(item))
        return client


class Transport(kombu_redis.Transport):
    """The transport with that channel."""

    Channel = Channel


def install() -> None:
    """Let this process's `redis://` connections go through the sieve."""
    TRANSPORT_ALIASES["redis"] = TRANSPORT_ALIASES["rediss"] = f"{__name__}:Transport"


def _read_popped(answer: Any, **_: Any) -> tuple[bytes, bytes] | None:
    return (answer[0], readable(answer[1])) if answer else None


def readable(item: bytes) -> bytes:
    """The item itself where kombu can read it as a message, else a message that has the item as its body."""
    return item if _is_message(item) else _wrapped(item)


def _is_message(item: bytes) -> bool:
    try:
        payload = json.loads(item)
        properties = payload["properties"]
        delivery, body = properties["delivery_info"], payload.get("body")
        if properties.get("body_encoding") == "base64":
            base64.b64decode(body)
        elif properties.get("body_encoding"):
            return False
        address = (delivery["exchange"], delivery["routing_key"], properties["delivery_tag"], body)
        return isinstance(payload["headers"], dict) and all(isinstance(part, str) for part in address)
    except (LookupError, TypeError, AttributeError, ValueError, RecursionError, binascii.Error):
        return False


def _wrapped(item: bytes) -> bytes:
    properties = {
        "body_encoding": "base64",
        "delivery_mode": 2,
        "delivery_tag": str(uuid.uuid4()),
        "delivery_info": {"exchange": "", "routing_key": NORMAL},
        "priority": 0,
    }
    payload = {
        "body": base64.b64encode(item).decode(),
        "content-type": "application/octet-stream",
        "content-encoding": "binary",
        "headers": {},
        "properties": properties,
    }
    return json.dumps(payload).encode()
