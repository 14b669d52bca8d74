"""What the broker refused for certain never was a task; what it may have taken stays one."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING

import pytest

from tandem.backplane.edge import Edge, wire
from tandem.backplane.errors import BrokerUnavailable, QueueFull, QueueMissing, TaskNotFound
from tandem.backplane.submission import accept
from tests.integration.backplane.publishing import message

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from local.private_redis import PrivateRedis
    from tests.integration.backplane.conftest import BrokerUnderTest


@pytest.fixture
def on_an_edge(
    rabbitmq: BrokerUnderTest, own_redis: PrivateRedis
) -> Callable[[Callable[[Edge], Awaitable[None]]], None]:
    """Run something with adapters of RabbitMQ and a store, which are closed then."""

    async def run(use: Callable[[Edge], Awaitable[None]]) -> None:
        edge = wire(rabbitmq.settings.model_copy(update={"redis_url": own_redis.url}))
        try:
            await use(edge)
        finally:
            await edge.close()

    return lambda use: asyncio.run(run(use))


def test_where_the_queue_is_missing_the_task_is_forgotten(
    on_an_edge: Callable[[Callable[[Edge], Awaitable[None]]], None],
) -> None:
    """Whoever asks for it hears that there is no such task, and not that there has been one."""

    async def use(edge: Edge) -> None:
        task_id = str(uuid.uuid4())
        with pytest.raises(QueueMissing):
            await accept(edge, message("nowhere", task_id), 60, "alice")
        with pytest.raises(TaskNotFound):
            await edge.tasks.read(task_id, "alice")

    on_an_edge(use)


def test_where_the_queue_is_full_the_task_is_forgotten(
    on_an_edge: Callable[[Callable[[Edge], Awaitable[None]]], None], rabbitmq: BrokerUnderTest
) -> None:
    """Its own record alone; the same id is accepted once there is room."""
    queue = rabbitmq.declare(kind="classic", max_length=1)

    async def use(edge: Edge) -> None:
        first, second = str(uuid.uuid4()), str(uuid.uuid4())
        await accept(edge, message(queue, first), 60, "alice")
        with pytest.raises(QueueFull):
            await accept(edge, message(queue, second), 60, "alice")
        with pytest.raises(TaskNotFound):
            await edge.tasks.read(second, "alice")
        assert (await edge.tasks.read(first, "alice")).state == "PENDING"
        assert await asyncio.to_thread(rabbitmq.take_ids, queue) == [first]
        await accept(edge, message(queue, second), 60, "alice")
        assert (await edge.tasks.read(second, "alice")).state == "PENDING"

    on_an_edge(use)


def test_what_the_broker_may_have_taken_stays_a_task(
    on_an_edge: Callable[[Callable[[Edge], Awaitable[None]]], None], rabbitmq: BrokerUnderTest
) -> None:
    """A broker out of reach said nothing of it, so its id may be asked for."""
    rabbitmq.proxy.refuse()

    async def use(edge: Edge) -> None:
        task_id = str(uuid.uuid4())
        with pytest.raises(BrokerUnavailable):
            await accept(edge, message("anywhere", task_id), 60, "alice")
        assert (await edge.tasks.read(task_id, "alice")).state == "PENDING"

    on_an_edge(use)
