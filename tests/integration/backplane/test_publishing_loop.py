"""An event loop that publishes by itself: as sure as the thread, and nobody on the loop waits for it."""

from __future__ import annotations

import asyncio
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from local.private_rabbitmq import PrivateRabbitmq
from tandem.backplane.errors import QueueMissing
from tandem.backplane.message import Message
from tests.integration.backplane.publishing import (
    BOUND_SECONDS,
    connection_of,
    message,
    outcome,
    outcomes,
    until_confirmed,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tandem.backplane.publisher import Publisher
    from tests.integration.backplane.conftest import BrokerUnderTest


def on_its_loop(publisher: Publisher, queue: str, use: Callable[[], Awaitable[None]]) -> None:
    """Run `use` on an event loop that has taken the publisher's connection over."""

    async def run() -> None:
        async with asyncio.timeout(BOUND_SECONDS):
            while publisher._direct is None:  # the thread tells the first caller before it lets go
                await publisher.ping()
        for task_id in ("first", "second"):
            assert await outcome(publisher, message(queue, task_id)) == "confirmed"
        assert [thread for thread in threading.enumerate() if thread.name == "publisher"] == []
        async with asyncio.timeout(BOUND_SECONDS):
            await use()

    asyncio.run(run())


def test_the_loop_has_the_connection_that_the_thread_made(
    rabbitmq: BrokerUnderTest, rabbitmq_publisher: Publisher
) -> None:
    """One connection for all, also for a ping, and the thread is gone."""
    queue = rabbitmq.declare()
    wanted = [f"id-{number}" for number in range(500)]

    async def use() -> None:
        told = await outcomes(rabbitmq_publisher, [message(queue, task_id) for task_id in wanted])
        assert set(told) == {"confirmed"}
        await rabbitmq_publisher.ping()

    on_its_loop(rabbitmq_publisher, queue, use)
    assert sorted(rabbitmq.take_ids(queue)) == sorted(["first", "second", *wanted])
    assert rabbitmq.proxy.accepted == 1


def test_who_waits_for_an_answer_hears_of_a_refusal_alone(
    rabbitmq: BrokerUnderTest, rabbitmq_publisher: Publisher
) -> None:
    """A confirm is no answer; what nobody waits for any more is not sent."""
    queue = rabbitmq.declare()

    async def use() -> None:
        loop = asyncio.get_running_loop()
        waiting, refused, left = loop.create_future(), loop.create_future(), loop.create_future()
        left.cancel()
        rabbitmq_publisher.start(message(queue, "waiting"), waiting)
        rabbitmq_publisher.start(message("nowhere", "refused"), refused)
        rabbitmq_publisher.start(message(queue, "left"), left)
        with pytest.raises(QueueMissing):
            await refused
        await rabbitmq_publisher.ping()
        assert not waiting.done()

    on_its_loop(rabbitmq_publisher, queue, use)
    assert rabbitmq.take_ids(queue) == ["first", "second", "waiting"]


def test_a_broker_out_of_reach_ends_the_wait_for_an_answer(
    rabbitmq: BrokerUnderTest, rabbitmq_publisher: Publisher
) -> None:
    """Within the same bound as that of a publish."""
    queue = rabbitmq.declare()

    async def use() -> None:
        rabbitmq.proxy.swallow()
        waiting = asyncio.get_running_loop().create_future()
        rabbitmq_publisher.start(message(queue, "waiting"), waiting)
        with pytest.raises(Exception, match=r"did not confirm|cannot be reached"):
            await waiting

    on_its_loop(rabbitmq_publisher, queue, use)


def test_more_than_a_socket_takes_at_once(rabbitmq: BrokerUnderTest, rabbitmq_publisher: Publisher) -> None:
    """The rest is sent when it takes more, in order, and smaller ones after it."""
    queue = rabbitmq.declare()
    small = message(queue, "small")
    large = Message("large", queue, small.body + b" " * 5_000_000, small.headers, durable=True)

    async def use() -> None:
        assert set(await outcomes(rabbitmq_publisher, [large, small, large])) == {"confirmed"}

    on_its_loop(rabbitmq_publisher, queue, use)
    assert rabbitmq.take_ids(queue) == ["first", "second", "large", "small", "large"]
    assert rabbitmq.proxy.accepted == 1


def test_a_loop_that_was_busy_does_not_blame_the_broker(
    rabbitmq: BrokerUnderTest, rabbitmq_publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A confirm that came in time and was read late is one: nothing is sent twice."""
    queue = rabbitmq.declare()

    async def use() -> None:
        monkeypatch.setattr("tandem.backplane.broker.CONFIRM_SECONDS", 0.5)
        told = asyncio.create_task(outcome(rabbitmq_publisher, message(queue, "late")))
        for _ in range(3):
            await asyncio.sleep(0)
        time.sleep(1.5)  # noqa: ASYNC251  the loop is busy with something else
        assert await told == "confirmed"

    on_its_loop(rabbitmq_publisher, queue, use)
    assert rabbitmq.take_ids(queue) == ["first", "second", "late"]
    assert rabbitmq.proxy.accepted == 1


def test_a_broker_that_closes_the_connection_leaves_nobody_waiting(
    rabbitmq: BrokerUnderTest, rabbitmq_publisher: Publisher
) -> None:
    """It says so, and py-amqp closes the socket at once: what was not confirmed the thread sends again."""
    assert isinstance(rabbitmq.server, PrivateRabbitmq)
    close_all = partial(rabbitmq.server.ctl, "close_all_connections", "a test")
    queue = rabbitmq.declare()
    told: dict[str, str] = {}
    closed = asyncio.Event()

    async def publish(part: int) -> None:
        while not closed.is_set():
            task_id = f"{part}-{len(told)}"
            told[task_id] = await outcome(rabbitmq_publisher, message(queue, task_id))

    async def use() -> None:
        publishing = asyncio.gather(*(publish(part) for part in range(50)))
        for _ in range(3):
            await asyncio.to_thread(close_all)
            await asyncio.sleep(0.5)
        closed.set()
        await publishing

    on_its_loop(rabbitmq_publisher, queue, use)
    assert rabbitmq.proxy.accepted > 3
    confirmed = {task_id for task_id, answer in told.items() if answer == "confirmed"}
    assert len(confirmed) > 500
    assert confirmed <= set(rabbitmq.take_ids(queue))


def test_a_connection_lost_while_nobody_looked_costs_no_caller_an_error(
    rabbitmq: BrokerUnderTest, rabbitmq_publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is looked at before it is used, and nothing is put on it: all of it goes out once, over another."""
    queue = rabbitmq.declare()
    wanted = [f"id-{number}" for number in range(20)]
    sent: list[Any] = []

    async def use() -> None:
        direct = rabbitmq_publisher._direct
        assert direct is not None
        monkeypatch.setattr(connection_of(rabbitmq_publisher), "send", sent.append)
        publishing = [
            asyncio.create_task(outcome(rabbitmq_publisher, message(queue, task_id))) for task_id in wanted
        ]
        await asyncio.sleep(0)  # they are gathered, and handed over before the loop reads again
        rabbitmq.proxy.reset()
        direct._looked_at = 0.0
        assert await asyncio.gather(*publishing) == ["confirmed"] * len(wanted)

    on_its_loop(rabbitmq_publisher, queue, use)
    assert sent == []
    assert rabbitmq.take_ids(queue) == ["first", "second", *wanted]
    assert rabbitmq.proxy.accepted == 2


def test_a_broker_that_closes_the_channel_is_asked_anew(
    rabbitmq: BrokerUnderTest, rabbitmq_publisher: Publisher
) -> None:
    """It does so at a message that it cannot read; the next one goes to it over another connection."""
    queue = rabbitmq.declare()
    good = message(queue, "bad")
    bad = Message("bad", queue, good.body, good.headers, durable=True, expiration_seconds=10**9)

    async def use() -> None:
        assert await outcome(rabbitmq_publisher, bad) == "BrokerUnavailable"
        await until_confirmed(rabbitmq_publisher, message(queue, "after"))

    on_its_loop(rabbitmq_publisher, queue, use)
    assert rabbitmq.take_ids(queue) == ["first", "second", "after"]


class _Unreadable(dict[str, Any]):
    """Headers that raise what nobody expects."""

    def keys(self) -> Any:
        raise RuntimeError("a defect")

    def __iter__(self) -> Any:
        raise RuntimeError("a defect")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_defect_leaves_nobody_waiting(rabbitmq: BrokerUnderTest, rabbitmq_publisher: Publisher) -> None:
    """Neither its own caller nor who was sent with it; and the next is served."""
    queue = rabbitmq.declare()
    good = message(queue, "good")
    defect = Message("bad", queue, good.body, _Unreadable(a=1), durable=True)

    async def use() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        told = await outcomes(rabbitmq_publisher, [good, defect])
        assert told[1] == "BrokerUnavailable"
        async with asyncio.timeout(BOUND_SECONDS):
            told_after = ""
            while told_after != "confirmed":  # who is handed to the thread while it ends is refused
                told_after = await outcome(rabbitmq_publisher, message(queue, "after"))

    on_its_loop(rabbitmq_publisher, queue, use)
    assert "after" in rabbitmq.take_ids(queue)


def test_the_next_loop_has_it_from_one_that_was_closed(
    rabbitmq: BrokerUnderTest, rabbitmq_publisher: Publisher
) -> None:
    """The connection outlives its loops, and closing it leaves none."""
    queue = rabbitmq.declare()

    async def use() -> None:
        pass

    on_its_loop(rabbitmq_publisher, queue, use)
    connection = connection_of(rabbitmq_publisher)
    on_its_loop(rabbitmq_publisher, queue, use)
    assert connection_of(rabbitmq_publisher) is connection
    rabbitmq_publisher.close()
    assert (rabbitmq_publisher._direct, rabbitmq_publisher._idle) == (None, None)
