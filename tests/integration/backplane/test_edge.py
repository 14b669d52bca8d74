"""What a function is wired to belongs to one event loop of one process, and is closed as a whole."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
import traceback
import uuid
from typing import TYPE_CHECKING

import pytest

from tandem.backplane.edge import Edge, close_edge, edge
from tandem.backplane.result_format import result_json_of
from tandem.backplane.settings import settings
from tandem.backplane.store import synchronous_client
from tandem.backplane.task_attempts import Attempt, Delivery, TaskAttempts
from tests.integration.backplane.publishing import BOUND_SECONDS, message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from local.private_redis import PrivateRedis
    from tests.integration.backplane.conftest import BrokerUnderTest

ANSWER = b'{"match_id": 42}'


@pytest.fixture
def queue(
    rabbitmq: BrokerUnderTest, own_redis: PrivateRedis, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """A queue on the broker that the settings of this process name."""
    monkeypatch.setenv("BROKER_URL", rabbitmq.settings.broker_url)
    monkeypatch.setenv("REDIS_URL", own_redis.url)
    settings.cache_clear()
    yield rabbitmq.declare()
    settings.cache_clear()


def threads() -> int:
    """How many publishers have a thread here."""
    return sum(thread.name == "publisher" for thread in threading.enumerate())


async def use(wired: Edge, queue: str) -> None:
    """Accept, publish, wait for the answer, read it."""
    task_id = str(uuid.uuid4())
    assert await wired.tasks.accept(task_id, 60)
    async with asyncio.timeout(BOUND_SECONDS), wired.replies.expect(task_id) as document:
        await wired.publisher.publish(message(queue, task_id))
        await asyncio.to_thread(run, task_id, wired.replies.channel)
        assert result_json_of(await document) == ANSWER
    assert (await wired.tasks.read(task_id)).result == {"match_id": 42}
    assert await wired.matches.get(1) is None
    assert (await wired.catalog.read()).workers == ()


def run(task_id: str, reply_to: str) -> None:
    """Run a task as a worker does."""
    with synchronous_client(settings().redis_url) as client:
        worker = TaskAttempts(client, settings())
        [attempt] = worker.start([Delivery(task_id, reply_to=reply_to)])
        assert isinstance(attempt, Attempt)
        worker.finish([(attempt, ANSWER)])


def test_one_loop_has_one_edge_and_another_loop_another(queue: str) -> None:
    """Each is used, and closed on its own loop; a closed one is made anew when it is asked for."""

    async def use_and_close() -> list[Edge]:
        first = edge()
        assert edge() is first
        assert await asyncio.create_task(_edge()) is first
        await use(first, queue)
        await close_edge()
        second = edge()
        assert second is not first
        await use(second, queue)
        await close_edge()
        await close_edge()
        return [first, second]

    made = asyncio.run(use_and_close()) + asyncio.run(use_and_close())
    assert len({id(one) for one in made}) == 4
    assert threads() == 0


async def _edge() -> Edge:
    return edge()


def test_loops_in_threads_do_not_share(queue: str) -> None:
    """Several at a time, each with its own."""
    failures: list[BaseException] = []

    async def use_and_close() -> None:
        await use(edge(), queue)
        await close_edge()

    def run_loop() -> None:
        try:
            asyncio.run(use_and_close())
        except BaseException as error:  # noqa: BLE001  told below
            failures.append(error)

    running = [threading.Thread(target=run_loop) for _ in range(4)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(BOUND_SECONDS)
    assert failures == []
    assert threads() == 0


def wait_until(holds: Callable[[], bool]) -> None:
    """Wait for what is told by another thread; raises where it never comes."""
    end = time.monotonic() + BOUND_SECONDS
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_loops_that_were_closed_leave_nothing(queue: str, rabbitmq: BrokerUnderTest) -> None:
    """Also where nobody closed what was wired to them: the next one does."""

    async def use_publisher_alone() -> None:
        await edge().publisher.publish(message(queue, "id-1"))

    async def use_and_close() -> None:
        await use(edge(), queue)
        await close_edge()

    for _ in range(3):
        asyncio.run(use_publisher_alone())
    wait_until(lambda: rabbitmq.proxy.open_connections == 1)
    asyncio.run(use_and_close())
    assert threads() == 0
    wait_until(lambda: rabbitmq.proxy.open_connections == 0)


def test_closing_leaves_no_connection(queue: str, rabbitmq: BrokerUnderTest, own_redis: PrivateRedis) -> None:
    """Neither to the broker nor to the store."""
    with synchronous_client(own_redis.url) as client:
        before = len(client.client_list())

        async def use_and_close() -> tuple[int, int]:
            await use(edge(), queue)
            there = (len(client.client_list()), rabbitmq.proxy.open_connections)
            await close_edge()
            for _ in range(100):
                if len(client.client_list()) == before and not rabbitmq.proxy.open_connections:
                    break
                await asyncio.sleep(0.05)
            return there

        connected, publishing = asyncio.run(use_and_close())
        assert connected > before
        assert publishing == 1
        assert len(client.client_list()) == before
        assert rabbitmq.proxy.open_connections == 0


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_fork_is_wired_anew(queue: str) -> None:
    """Forked out of a loop that is in use, with all of its connections open; both go on."""

    async def use_and_close() -> None:
        await use(edge(), queue)
        await close_edge()

    def in_child() -> int:
        try:
            asyncio.run(use_and_close())
        except BaseException:  # noqa: BLE001  the child must end here and not in pytest
            traceback.print_exc()
            return 1
        return 0

    async def use_and_fork() -> None:
        await use(edge(), queue)
        child = os.fork()
        if child == 0:
            os._exit(in_child())
        await use(edge(), queue)
        _, status = await asyncio.to_thread(os.waitpid, child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        await use(edge(), queue)
        await close_edge()

    asyncio.run(use_and_fork())
