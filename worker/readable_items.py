"""A sieve for what lies in a list of Redis: what is no message becomes one.

Anybody who reaches Redis can push anything into the list. kombu reads it inside the event loop and ends the
worker with whatever it stumbles over. Here such an item turns into a message without headers, which the door
(`worker/guarded_consumer.py`) dead-letters as it does others.
"""

import base64
import binascii
import json
import uuid

from kombu.utils.json import loads

from tandem.backplane.topology import NORMAL


def readable(item: bytes) -> bytes:
    """The item itself where kombu can read it as a message, else a message that has the item as its body."""
    return item if _is_message(item) else _wrapped(item)


def _is_message(item: bytes) -> bool:
    try:
        payload = loads(item)  # kombu's own, which makes objects of some dictionaries and may fail at it
        properties = payload["properties"]
        delivery, body = properties["delivery_info"], payload.get("body")
        if properties.get("body_encoding") == "base64":
            base64.b64decode(body)
        elif properties.get("body_encoding"):
            return False
        address = (delivery["exchange"], delivery["routing_key"], properties["delivery_tag"], body)
        return isinstance(payload["headers"], dict) and all(isinstance(part, str) for part in address)
    except (
        LookupError,
        TypeError,
        AttributeError,
        ValueError,
        ArithmeticError,
        RecursionError,
        binascii.Error,
    ):
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
