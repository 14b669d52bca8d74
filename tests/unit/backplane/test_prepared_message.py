"""A message prepared in part says the same as one that py-amqp makes as a whole."""

from __future__ import annotations

from typing import Any

import pytest
from amqp.basic_message import Message
from amqp.serialization import decode_properties_basic

from tandem.backplane.message import CONSTANT_HEADERS, delivery_header, task_headers
from tandem.backplane.prepared_message import prepared

TASK = task_headers("predict", "id-1", delivery_header(submitted_ms=1_777_125_600_000, reply_to="here"))
PROPERTIES = {"delivery_mode": 1, "priority": 0, "correlation_id": "id-1", "expiration": "30000"}


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param(TASK, id="a new task"),
        pytest.param(TASK | {"retries": 3}, id="one that is tried again"),
        pytest.param({name: TASK[name] for name in TASK if name != "group"}, id="one without a constant"),
        pytest.param(TASK | {"x-of-somebody": "é"}, id="one with a header more"),
        pytest.param(dict(CONSTANT_HEADERS), id="nothing but constants"),
        pytest.param({}, id="none"),
    ],
)
@pytest.mark.parametrize("properties", [PROPERTIES, {"delivery_mode": 2, "expiration": None}])
def test_it_says_the_same(headers: dict[str, Any], properties: dict[str, Any]) -> None:
    """To the last property and header, whatever the headers are."""
    common = {"content_type": "application/json", "content_encoding": "utf-8"}
    whole = Message(b"{}", application_headers=headers, **common, **properties)
    found, _ = decode_properties_basic(_made(prepared(b"{}", headers, **properties)), 0)
    wanted, _ = decode_properties_basic(_made(whole), 0)
    assert found == wanted
    assert found["application_headers"] == headers


def _made(message: Any) -> bytes:
    made: bytes = message._serialize_properties()
    return made
