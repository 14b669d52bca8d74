"""The queues as they are declared keep what is promised of them: bounded, and nothing rejected is lost."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest
from amqp.exceptions import PreconditionFailed
from kombu import Connection, Queue

from tandem.backplane.publisher import Publisher
from tandem.backplane.settings import Settings
from tandem.backplane.topology import BULK_QUEUES, DEAD, DEAD_RECORD, NORMAL, PREDICTION_QUEUES, declare
from tests.integration.backplane.publishing import BOUND_SECONDS, message, outcome

if TYPE_CHECKING:
    from collections.abc import Callable

LANES = (*PREDICTION_QUEUES, *BULK_QUEUES)
LATE = 10
"""Messages by which a quorum queue has certainly noticed that it is full."""


def declared(url: str, queue_max_length: int) -> Settings:
    """Settings for a broker on which the topology has been declared."""
    with Connection(url) as connection:
        declare(connection, queue_max_length)
    return Settings(broker_url=url, queue_max_length=queue_max_length)


def taken(connection: Connection, queue: str) -> Any:
    """The next message of a queue, once there is one."""
    taking = Queue(queue)(connection.default_channel)
    deadline = time.monotonic() + BOUND_SECONDS
    while (found := taking.get()) is None:
        assert time.monotonic() < deadline, f"nothing came to {queue}"
        time.sleep(0.05)
    return found


def test_every_lane_refuses_what_is_beyond_its_bound(rabbitmq_vhost: Callable[[], str]) -> None:
    """The publisher hears of it, and what was taken before is still there."""
    settings = declared(rabbitmq_vhost(), 1)
    publisher = Publisher(settings)

    async def fill(queue: str) -> list[str]:
        return [await outcome(publisher, message(queue, f"{queue}-{number}")) for number in range(LATE)]

    async def fill_all() -> list[list[str]]:
        return list(await asyncio.gather(*(fill(queue) for queue in LANES)))

    told = dict(zip(LANES, asyncio.run(fill_all()), strict=True))
    publisher.close()
    assert {queue: (answers[0], answers[-1]) for queue, answers in told.items()} == dict.fromkeys(
        LANES, ("confirmed", "QueueFull")
    )
    with Connection(settings.broker_url) as connection:
        for queue in LANES:
            assert taken(connection, queue).properties["correlation_id"] == f"{queue}-0"


def test_what_a_worker_rejects_lies_among_the_dead(rabbitmq_vhost: Callable[[], str]) -> None:
    """Once to be looked at, once to be told of; the broker says where it came from."""
    settings = declared(rabbitmq_vhost(), 100)
    publisher = Publisher(settings)
    assert asyncio.run(outcome(publisher, message(NORMAL, "bad"))) == "confirmed"
    publisher.close()
    with Connection(settings.broker_url) as connection:
        taken(connection, NORMAL).reject()
        for queue in (DEAD, DEAD_RECORD):
            found = taken(connection, queue)
            assert found.properties["correlation_id"] == "bad"
            assert found.headers["x-death"][0]["queue"] == NORMAL
            assert found.headers["x-death"][0]["reason"] == "rejected"


def test_a_queue_with_other_arguments_is_not_taken_for_ours(rabbitmq_vhost: Callable[[], str]) -> None:
    """What it promises is not what was asked for; declaring the same once more is nothing."""
    settings = declared(rabbitmq_vhost(), 100)
    declared(settings.broker_url, 100)
    with pytest.raises(PreconditionFailed, match="x-max-length"):
        declared(settings.broker_url, 101)
