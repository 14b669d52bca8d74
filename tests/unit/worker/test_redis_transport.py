"""What is popped from a list of Redis: a message as it is, or one made of what is none."""

from __future__ import annotations

import base64
import json

import pytest
from kombu.transport.redis import Channel
from kombu.transport.virtual import Message

from worker.readable_items import readable

PROPERTIES = {
    "body_encoding": "base64",
    "delivery_tag": "t",
    "delivery_info": {"exchange": "", "routing_key": "ml"},
}
GOOD = {"body": "e30=", "headers": {"task": "predict"}, "properties": PROPERTIES}
BROKEN = [
    [],
    {},
    {**GOOD, "headers": None},
    {**GOOD, "headers": {"id": {"__type__": "uuid", "__value__": "x"}}},
    {**GOOD, "headers": {"id": {"__type__": "decimal", "__value__": "x"}}},
    {**GOOD, "headers": {"id": {"__type__": "unheard-of", "__value__": "x"}}},
    {**GOOD, "body": {"a": 1}},
    {**GOOD, "body": "abc"},
    {**GOOD, "properties": []},
    {**GOOD, "properties": {**PROPERTIES, "body_encoding": "rot13"}},
    {**GOOD, "properties": {**PROPERTIES, "delivery_tag": 7}},
    {**GOOD, "properties": {**PROPERTIES, "delivery_info": None}},
    {**GOOD, "properties": {**PROPERTIES, "delivery_info": {}}},
]


def test_a_message_is_left_as_it_is() -> None:
    """To the byte."""
    item = json.dumps(GOOD).encode()
    assert readable(item) is item


@pytest.mark.parametrize(
    "item",
    [b"hello", b"", b"\xff\xfe", b"[" * 100_000, *(json.dumps(payload).encode() for payload in BROKEN)],
    ids=lambda item: item[:24].hex(),
)
def test_anything_else_becomes_a_message_that_the_transport_can_read(item: bytes) -> None:
    """Without headers, so that the door refuses it, and with the item as its body."""
    payload = json.loads(readable(item))
    assert payload["headers"] == {}
    assert base64.b64decode(payload["body"]) == item
    assert readable(json.dumps(payload).encode()) == json.dumps(payload).encode()
    channel = Channel.__new__(Channel)  # decoding a body needs no connection
    assert Message(payload, channel=channel).body in {item, ""}
