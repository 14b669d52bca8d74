"""Messages of the tests, and many of them published at once."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from tandem.backplane.broker import BrokerConnection
from tandem.backplane.errors import Unavailable
from tandem.backplane.message import Message, delivery_header, task_body, task_headers

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tandem.backplane.publisher import Publisher

BOUND_SECONDS = 60
"""What a test waits at most for something that has a bound of its own."""


def message(queue: str, task_id: str, *, durable: bool = True) -> Message:
    """One task."""
    headers = task_headers("predict_match", task_id, delivery_header(submitted_ms=1))
    body = task_body({"match_id": 42}, json.dumps({"home_elo": 1712.4}).encode())
    return Message(task_id, queue, body, headers, durable=durable, expiration_seconds=3600)


def connection_of(publisher: Publisher) -> BrokerConnection:
    """The connection of a publisher, whoever has it at present."""
    holders: list[Any] = [publisher._direct, publisher._thread]
    found = [publisher._idle, *(holder._connection for holder in holders if holder is not None)]
    connection = next(one for one in found if one is not None)
    assert isinstance(connection, BrokerConnection)
    return connection


async def outcome(publisher: Publisher, one: Message) -> str:
    """What the caller of a publish is told: "confirmed", or the name of the error."""
    try:
        async with asyncio.timeout(BOUND_SECONDS):
            await publisher.publish(one)
    except Unavailable as error:
        return type(error).__name__
    return "confirmed"


async def outcomes(publisher: Publisher, messages: Iterable[Message]) -> list[str]:
    """What the callers of many publishes, all at once, are told."""
    return list(await asyncio.gather(*(outcome(publisher, one) for one in messages)))


async def until_confirmed(publisher: Publisher, one: Message) -> int:
    """Publish until the broker confirms, as a caller that retries does; gives the number of refusals."""
    refusals = 0
    async with asyncio.timeout(BOUND_SECONDS):
        while await outcome(publisher, one) != "confirmed":
            refusals += 1
            await asyncio.sleep(0.2)
    return refusals
