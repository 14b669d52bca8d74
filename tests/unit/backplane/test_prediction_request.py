"""How a checked row travels: with its caller's own patience, or until it has been done."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tandem.backplane.edge import wire
from tandem.backplane.message import HEADER
from tandem.backplane.prediction_request import PredictionRequest
from tandem.backplane.settings import Settings
from tandem.backplane.topology import NORMAL, SYNC
from tests.unit.worker.loaded_models import card

if TYPE_CHECKING:
    from tandem.backplane.message import Message

SUBMITTED_MS = 1_777_125_600_000


def message_of(seconds: float | None) -> Message:
    """The message of a caller that waits so long, or of an accepted task."""

    async def make() -> Message:
        edge = wire(Settings())
        try:
            asked = PredictionRequest(card(), {"x": 1.0})
            if seconds is None:
                return asked.accepted(edge, "id", queue=NORMAL)
            return asked.waited_for(edge, "id", queue=SYNC, submitted_ms=SUBMITTED_MS, seconds=seconds)
        finally:
            await edge.close()

    return asyncio.run(make())


@pytest.mark.parametrize("seconds", [0.25, 1.0, 26.0, 30.0])
def test_a_waiting_callers_message_goes_when_the_caller_does(seconds: float) -> None:
    """The broker keeps it no longer, and a worker that gets it later does not run it; a crash may lose it."""
    message = message_of(seconds)
    assert message.expiration_seconds is not None
    assert 0 < message.expiration_seconds <= seconds
    header = message.headers[HEADER]
    assert SUBMITTED_MS < header["deadline_ms"] <= SUBMITTED_MS + seconds * 1000
    assert header["accepted"] is False
    assert header["reply_to"]
    assert not message.durable


def test_an_accepted_message_stays_until_it_has_been_done() -> None:
    """Its expiry is the record's, and a crash of the broker does not lose it."""
    message = message_of(None)
    assert message.expiration_seconds is None
    assert message.headers[HEADER]["deadline_ms"] == 0
    assert message.headers[HEADER]["accepted"] is True
    assert message.durable
