"""A publish returns when the broker has the message, and says which of its errors it is when not."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from tandem.backplane.broker import IDLE_SECONDS
from tandem.backplane.errors import QueueMissing
from tandem.backplane.message import Message
from tandem.backplane.publisher import Publisher
from tandem.backplane.publishing_thread import ANSWER_SECONDS
from tests.integration.backplane.publishing import connection_of, message, outcome, outcomes

if TYPE_CHECKING:
    from tests.integration.backplane.conftest import BrokerUnderTest


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
    connection_of(publisher).used_at -= IDLE_SECONDS + 1
    assert publish("long after") > 0
    assert publish("again") == 0
    connection_of(publisher).used_at += 3600
    assert publish("after the clock was set back") > 0
    assert len(broker.take_ids(queue)) == 5


def test_a_message_reads_as_it_was_made(broker: BrokerUnderTest, publisher: Publisher) -> None:
    """Celery's parts of it decode to what the caller sent."""
    queue = broker.declare()
    asyncio.run(outcome(publisher, message(queue, "id-1")))
    [found] = broker.take(queue)
    [_, kwargs, embed] = json.loads(found.body)
    assert kwargs == {"match_id": 42, "features": {"home_elo": 1712.4}}
    assert set(embed.values()) == {None}
