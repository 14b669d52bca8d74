"""A publish returns when the broker has the message, and says which of its errors it is when not."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tandem.backplane.errors import BrokerUnavailable, QueueMissing
from tandem.backplane.message import Message
from tandem.backplane.publisher import Publisher
from tandem.backplane.publishing_thread import ANSWER_SECONDS, IDLE_SECONDS
from tests.integration.backplane.publishing import BOUND_SECONDS, message, outcome, outcomes, until_confirmed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.backplane.conftest import BrokerUnderTest


@pytest.fixture
def publisher(broker: BrokerUnderTest) -> Iterator[Publisher]:
    """A publisher to either broker."""
    made = Publisher(broker.settings)
    yield made
    made.close()


@pytest.fixture
def rabbitmq_publisher(rabbitmq: BrokerUnderTest) -> Iterator[Publisher]:
    """A publisher to RabbitMQ."""
    made = Publisher(rabbitmq.settings)
    yield made
    made.close()


def test_a_confirmed_message_is_in_the_queue(broker: BrokerUnderTest, publisher: Publisher) -> None:
    """With its body, its headers and its properties."""
    queue = broker.declare()
    sent = message(queue, "id-1")
    assert asyncio.run(outcome(publisher, sent)) == "confirmed"
    [found] = broker.take(queue)
    body = found.body if isinstance(found.body, bytes) else found.body.encode()
    assert body == sent.body
    assert {name: found.headers[name] for name in sent.headers} == sent.headers
    assert (found.content_type, found.content_encoding) == ("application/json", "utf-8")
    assert found.properties["correlation_id"] == "id-1"
    assert found.properties["delivery_mode"] == 2
    if not broker.is_redis:
        assert int(found.properties["expiration"]) == 3_600_000


def test_many_at_once_share_one_connection(broker: BrokerUnderTest, publisher: Publisher) -> None:
    """Each is confirmed, and there once."""
    queue = broker.declare()
    wanted = [f"id-{number}" for number in range(1000)]
    answers = asyncio.run(outcomes(publisher, [message(queue, task_id) for task_id in wanted]))
    assert set(answers) == {"confirmed"}
    assert sorted(broker.take_ids(queue)) == sorted(wanted)
    assert broker.proxy.accepted == (2 if broker.is_redis else 1)  # Redis: one to ask, one to publish


def test_a_transient_message_is_confirmed_too(broker: BrokerUnderTest, publisher: Publisher) -> None:
    """On the classic queue of the waiting callers."""
    queue = broker.declare(kind="classic")
    assert asyncio.run(outcome(publisher, message(queue, "id-1", durable=False))) == "confirmed"
    [found] = broker.take(queue)
    assert found.properties["delivery_mode"] == 1


def test_a_large_message_goes_through(broker: BrokerUnderTest, publisher: Publisher) -> None:
    """Larger than a frame, and than what is held back to be sent in one go."""
    queue = broker.declare()
    large = message(queue, "id-1")
    large = Message("id-1", queue, large.body + b" " * 5_000_000, large.headers, durable=True)
    small = [message(queue, f"small-{number}") for number in range(3)]
    assert set(asyncio.run(outcomes(publisher, [small[0], large, *small[1:]]))) == {"confirmed"}
    assert {len(found.body) for found in broker.take(queue)} == {len(large.body), len(small[0].body)}


def test_a_full_queue_refuses_and_keeps_the_connection(broker: BrokerUnderTest) -> None:
    """Those that fit are there, the rest is told; one TCP connection throughout."""
    queue = broker.declare(kind="classic", max_length=5)
    publisher = Publisher(broker.settings.model_copy(update={"queue_max_length": 5}))

    async def publish_all() -> list[str]:
        one_by_one = [await outcome(publisher, message(queue, f"a-{number}")) for number in range(10)]
        return one_by_one + await outcomes(publisher, [message(queue, f"b-{number}") for number in range(50)])

    answers = asyncio.run(publish_all())
    publisher.close()
    assert set(answers) == {"confirmed", "QueueFull"}
    assert answers.count("confirmed") == len(broker.take_ids(queue)) == 5
    assert broker.proxy.accepted == (2 if broker.is_redis else 1)


def test_a_full_quorum_queue_has_at_least_what_was_confirmed(
    rabbitmq: BrokerUnderTest, rabbitmq_publisher: Publisher
) -> None:
    """It refuses a little late, and what it refused it does not hold."""
    queue = rabbitmq.declare(max_length=5)
    wanted = [f"id-{number}" for number in range(60)]
    answers = asyncio.run(outcomes(rabbitmq_publisher, [message(queue, task_id) for task_id in wanted]))
    assert asyncio.run(outcome(rabbitmq_publisher, message(queue, "late"))) == "QueueFull"
    confirmed = [task_id for task_id, told in zip(wanted, answers, strict=True) if told == "confirmed"]
    assert sorted(rabbitmq.take_ids(queue)) == sorted(confirmed)
    assert rabbitmq.proxy.accepted == 1


def test_a_missing_queue_is_told_from_a_full_one(
    rabbitmq: BrokerUnderTest, rabbitmq_publisher: Publisher
) -> None:
    """In one batch: each caller hears of its own message, and the connection stays."""
    there, full = rabbitmq.declare(), rabbitmq.declare(kind="classic", max_length=1)
    assert asyncio.run(outcome(rabbitmq_publisher, message(full, "first"))) == "confirmed"
    batch = [
        message(queue, f"{queue}-{number}")
        for number in range(20)
        for queue in (there, full, "nowhere", "nowhere.else")
    ]
    answers = asyncio.run(outcomes(rabbitmq_publisher, batch))
    assert answers == ["confirmed", "QueueFull", "QueueMissing", "QueueMissing"] * 20
    assert len(rabbitmq.take_ids(there)) == 20
    assert rabbitmq.proxy.accepted == 1
    with pytest.raises(QueueMissing, match="'nowhere'"):
        asyncio.run(rabbitmq_publisher.publish(message("nowhere", "id-1")))


def test_a_ping_is_answered(broker: BrokerUnderTest, publisher: Publisher) -> None:
    """Alone and beside messages."""
    queue = broker.declare()

    async def ping_and_publish() -> None:
        await publisher.ping()
        await asyncio.gather(publisher.ping(), publisher.publish(message(queue, "id-1")), publisher.ping())

    asyncio.run(ping_and_publish())
    assert broker.take_ids(queue) == ["id-1"]


def test_every_wait_has_a_bound() -> None:
    """A 503 comes within 5 s, whatever the broker does: the caller's own wait ends before."""
    assert ANSWER_SECONDS < 5


def test_an_idle_connection_is_not_trusted(broker: BrokerUnderTest, publisher: Publisher) -> None:
    """Unused for longer than what lies between may remember it, or used in a future that is none."""
    queue = broker.declare()

    def publish(task_id: str) -> int:
        before = broker.proxy.accepted
        assert asyncio.run(outcome(publisher, message(queue, task_id))) == "confirmed"
        return broker.proxy.accepted - before

    assert publish("first") > 0
    assert publish("soon after") == 0
    thread: Any = publisher._thread
    thread._used_at -= IDLE_SECONDS + 1
    assert publish("long after") > 0
    assert publish("again") == 0
    thread._used_at += 3600
    assert publish("after the clock was set back") > 0
    assert len(broker.take_ids(queue)) == 5


def test_many_loops_in_many_threads(broker: BrokerUnderTest, publisher: Publisher) -> None:
    """Each caller is answered on its own loop."""
    queue = broker.declare()
    wanted = [[f"{thread}-{number}" for number in range(50)] for thread in range(8)]

    def publish(ids: list[str]) -> list[str]:
        return asyncio.run(outcomes(publisher, [message(queue, task_id) for task_id in ids]))

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(publish, wanted))
    assert {told for some in answers for told in some} == {"confirmed"}
    assert sorted(broker.take_ids(queue)) == sorted(task_id for ids in wanted for task_id in ids)
    assert broker.proxy.accepted == (2 if broker.is_redis else 1)


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
        publisher._hand_over(_job(message(queue, "left")))

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
        publisher._hand_over(job)
        async with asyncio.timeout(BOUND_SECONDS):
            await job.done

    with pytest.raises(BrokerUnavailable):
        asyncio.run(come_too_late())
    assert asyncio.run(outcome(publisher, message(queue, "in time"))) == "confirmed"
    assert broker.take_ids(queue) == ["in time"]


def test_more_than_can_wait_are_refused(publisher: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, instead of filling the memory."""
    monkeypatch.setattr("tandem.backplane.publisher.WAITING_LIMIT", 0)
    asyncio.run(publisher.ping())

    async def refused() -> None:
        await publisher.publish(message("any", "id-1"))

    with pytest.raises(BrokerUnavailable, match="Too many"):
        asyncio.run(refused())


def test_a_message_reads_as_it_was_made(broker: BrokerUnderTest, publisher: Publisher) -> None:
    """Celery's parts of it decode to what the caller sent."""
    queue = broker.declare()
    asyncio.run(outcome(publisher, message(queue, "id-1")))
    [found] = broker.take(queue)
    [_, kwargs, embed] = json.loads(found.body)
    assert kwargs == {"match_id": 42, "features": {"home_elo": 1712.4}}
    assert set(embed.values()) == {None}
