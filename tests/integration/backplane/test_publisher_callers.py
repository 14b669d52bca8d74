"""Callers of one publisher, on any loop and thread: each is told of its own message, none waits for ever."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tandem.backplane.errors import BrokerUnavailable
from tandem.backplane.message import Message
from tests.integration.backplane.publishing import BOUND_SECONDS, message, outcome, outcomes, until_confirmed

if TYPE_CHECKING:
    from tandem.backplane.publisher import Publisher
    from tests.integration.backplane.conftest import BrokerUnderTest


def test_many_loops_in_many_threads(broker: BrokerUnderTest, publisher: Publisher) -> None:
    """Each caller is answered on its own loop; the first has a connection, and all others share one."""
    queue = broker.declare()
    wanted = [[f"{thread}-{number}" for number in range(50)] for thread in range(8)]

    def publish(ids: list[str]) -> list[str]:
        return asyncio.run(outcomes(publisher, [message(queue, task_id) for task_id in ids]))

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(publish, wanted))
    assert {told for some in answers for told in some} == {"confirmed"}
    assert sorted(broker.take_ids(queue)) == sorted(task_id for ids in wanted for task_id in ids)
    assert broker.proxy.accepted <= 2


def test_closed_it_starts_anew(broker: BrokerUnderTest, publisher: Publisher) -> None:
    """What waited is published first, the thread is gone, and the next publish brings another."""
    queue = broker.declare()

    async def publish_and_close() -> list[str]:
        waiting = [asyncio.create_task(outcome(publisher, message(queue, f"a-{n}"))) for n in range(300)]
        await asyncio.sleep(0)
        await asyncio.to_thread(publisher.close)
        return list(await asyncio.gather(*waiting))

    assert set(asyncio.run(publish_and_close())) == {"confirmed"}
    assert [thread for thread in threading.enumerate() if thread.name == "publisher"] == []
    publisher.close()
    assert asyncio.run(outcome(publisher, message(queue, "b"))) == "confirmed"
    assert len(broker.take_ids(queue)) == 301


def test_closed_while_others_publish(broker: BrokerUnderTest, publisher: Publisher) -> None:
    """Nobody is left waiting and no thread left over, however often it is closed in between."""
    queue = broker.declare()
    end = threading.Event()

    def close_often() -> None:
        while not end.wait(0.01):
            publisher.close()

    closing = threading.Thread(target=close_often)
    closing.start()
    try:

        async def publish_all() -> list[str]:
            return [await outcome(publisher, message(queue, f"id-{number}")) for number in range(100)]

        answers = asyncio.run(publish_all())
    finally:
        end.set()
        closing.join(BOUND_SECONDS)
    publisher.close()
    assert set(answers) == {"confirmed"}
    assert len(broker.take_ids(queue)) == 100
    assert [thread for thread in threading.enumerate() if thread.name == "publisher"] == []


def test_what_fits_no_frame_harms_nobody_else(broker: BrokerUnderTest, publisher: Publisher) -> None:
    """A header that cannot be sent is a defect of ours: its caller is told, the next one is served."""
    queue = broker.declare()
    good = message(queue, "good")
    bad = Message("bad", queue, good.body, {"number": 2**70, "odd": object()}, durable=True)
    assert asyncio.run(outcome(publisher, bad)) == "BrokerUnavailable"
    assert asyncio.run(outcome(publisher, good)) == "confirmed"
    assert broker.take_ids(queue) == ["good"]


class _Unreadable(dict[str, Any]):
    """Headers that raise what nobody expects."""

    def keys(self) -> Any:
        raise RuntimeError("a defect")

    def __iter__(self) -> Any:
        raise RuntimeError("a defect")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_defect_that_ends_the_thread_leaves_nobody_waiting(
    broker: BrokerUnderTest, publisher: Publisher
) -> None:
    """Whoever waits is told at once that it is unknown, and a later publish brings a new thread."""
    queue = broker.declare()
    good = message(queue, "good")

    async def publish_both() -> list[str]:
        defect = Message("bad", queue, good.body, _Unreadable(a=1), durable=True)
        first, second = outcome(publisher, defect), outcome(publisher, good)
        return list(await asyncio.gather(first, second))

    assert set(asyncio.run(publish_both())) <= {"BrokerUnavailable", "confirmed"}
    assert asyncio.run(until_confirmed(publisher, message(queue, "after"))) <= 1
    assert "after" in broker.take_ids(queue)


def test_callers_that_leave_harm_nobody(broker: BrokerUnderTest, publisher: Publisher) -> None:
    """Canceled, or with their loop closed behind them."""
    queue = broker.declare()

    async def leave() -> None:
        tasks = [asyncio.create_task(publisher.publish(message(queue, f"l-{n}"))) for n in range(100)]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def leave_the_loop() -> None:
        publisher._to_thread([_job(message(queue, "left"))])

    for _ in range(5):
        asyncio.run(leave())
        asyncio.run(leave_the_loop())
    assert asyncio.run(outcome(publisher, message(queue, "stayed"))) == "confirmed"
    assert "stayed" in broker.take_ids(queue)


def _job(one: Message) -> Any:
    from tandem.backplane.publishing_thread import Job

    loop = asyncio.get_running_loop()
    return Job(one, loop, loop.create_future())


def test_who_was_not_served_in_time_is_never_told_confirmed(
    broker: BrokerUnderTest, publisher: Publisher
) -> None:
    """Its message is not sent either, for it has been refused by then."""
    queue = broker.declare()

    async def come_too_late() -> None:
        job = _job(message(queue, "late"))
        job.give_up_at = time.monotonic() - 1
        publisher._gather(job)
        async with asyncio.timeout(BOUND_SECONDS):
            await job.done

    with pytest.raises(BrokerUnavailable):
        asyncio.run(come_too_late())
    assert asyncio.run(outcome(publisher, message(queue, "in time"))) == "confirmed"
    assert broker.take_ids(queue) == ["in time"]


def test_more_than_can_wait_are_refused(publisher: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, instead of filling the memory."""
    asyncio.run(publisher.ping())
    monkeypatch.setattr("tandem.backplane.publisher.WAITING_LIMIT", 0)

    async def refused() -> None:
        await publisher.publish(message("any", "id-1"))

    with pytest.raises(BrokerUnavailable, match="Too many"):
        asyncio.run(refused())
