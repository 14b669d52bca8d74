"""Whatever happens to the broker or on the way: nothing confirmed is lost, and nobody waits for ever.

And the publisher goes on by itself once the fault is over.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import traceback
from typing import TYPE_CHECKING, Any

import pytest

from tandem.backplane.broker import BLOCKED_SECONDS, CONFIRM_SECONDS, BrokerConnection
from tests.integration.backplane.publishing import connection_of, message, outcome, outcomes, until_confirmed

if TYPE_CHECKING:
    from tandem.backplane.publisher import Publisher
    from tests.integration.backplane.conftest import BrokerUnderTest


def test_a_broker_that_is_not_there(broker: BrokerUnderTest, publisher: Publisher) -> None:
    """Refused at first, and served without a restart when it is there."""
    queue = broker.declare()
    broker.proxy.refuse()
    assert asyncio.run(outcome(publisher, message(queue, "id-1"))) == "BrokerUnavailable"
    assert set(asyncio.run(outcomes(publisher, [message(queue, f"{n}") for n in range(50)]))) == {
        "BrokerUnavailable"
    }
    broker.proxy.pass_on()
    assert asyncio.run(outcome(publisher, message(queue, "id-1"))) == "confirmed"
    assert broker.take_ids(queue) == ["id-1"]


def test_a_broker_that_goes_away_in_between(broker: BrokerUnderTest, publisher: Publisher) -> None:
    """A connection lost while nobody used it costs the next caller nothing."""
    queue = broker.declare()
    assert asyncio.run(outcome(publisher, message(queue, "id-1"))) == "confirmed"
    broker.proxy.reset()
    assert asyncio.run(outcome(publisher, message(queue, "id-2"))) == "confirmed"
    broker.proxy.reset()
    assert (
        asyncio.run(outcomes(publisher, [message(queue, f"{n}") for n in range(300)])) == ["confirmed"] * 300
    )
    assert len(set(broker.take_ids(queue))) == 302


def test_a_black_hole_costs_a_second_connection(broker: BrokerUnderTest, publisher: Publisher) -> None:
    """What was sent into it is published once more over a new connection."""
    queue = broker.declare()
    assert asyncio.run(outcome(publisher, message(queue, "before"))) == "confirmed"
    connections = broker.proxy.accepted
    broker.proxy.swallow_open_ones()
    wanted = [f"id-{number}" for number in range(5)]
    assert (
        asyncio.run(outcomes(publisher, [message(queue, task_id) for task_id in wanted])) == ["confirmed"] * 5
    )
    assert broker.proxy.accepted > connections
    assert sorted(broker.take_ids(queue)) == sorted(["before", *wanted])


def test_nothing_but_a_black_hole(broker: BrokerUnderTest, publisher: Publisher) -> None:
    """Also for new connections: refused, and served when it is over."""
    queue = broker.declare()
    assert asyncio.run(outcome(publisher, message(queue, "before"))) == "confirmed"
    broker.proxy.swallow()
    assert asyncio.run(outcome(publisher, message(queue, "id-1"))) == "BrokerUnavailable"
    broker.proxy.pass_on()
    asyncio.run(until_confirmed(publisher, message(queue, "id-1")))
    assert set(broker.take_ids(queue)) == {"before", "id-1"}


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits are as bounded as ever, and shorter."""
    monkeypatch.setattr("tandem.backplane.broker.CONFIRM_SECONDS", 0.5)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("after_bytes", [1, 5, 8, 20])
def test_a_frame_that_half_arrives(
    rabbitmq: BrokerUnderTest, rabbitmq_publisher: Publisher, after_bytes: int
) -> None:
    """The rest of a confirm never comes: the wait ends all the same, and nothing is lost."""
    queue = rabbitmq.declare()
    assert asyncio.run(outcome(rabbitmq_publisher, message(queue, "before"))) == "confirmed"
    rabbitmq.proxy.swallow_open_ones(after_bytes=after_bytes)
    assert asyncio.run(outcome(rabbitmq_publisher, message(queue, "id-1"))) == "confirmed"
    assert set(rabbitmq.take_ids(queue)) == {"before", "id-1"}


@pytest.mark.usefixtures("impatient")
def test_half_a_frame_does_not_hold_up_a_connection(rabbitmq: BrokerUnderTest) -> None:
    """Neither the wait for an answer nor the look for news before a publish spins or hangs on it."""
    queue = rabbitmq.declare()
    for ask in (BrokerConnection.ping, lambda connection: connection.publish([message(queue, "id-1")])):
        connection = BrokerConnection(rabbitmq.settings.broker_url, 100)
        try:
            rabbitmq.proxy.swallow_open_ones(after_bytes=5)
            with pytest.raises(Exception, match="TimeoutError"):
                ask(connection)
            with pytest.raises(Exception, match="TimeoutError"):
                ask(connection)
        finally:
            connection.close()


def test_resets_all_the_time(broker: BrokerUnderTest, publisher: Publisher) -> None:
    """Every confirmed message is there; a caller that retries gets through."""
    queue = broker.declare()

    async def publish_and_reset() -> dict[str, str]:
        told: dict[str, str] = {}

        async def publish(part: int) -> None:
            for number in range(100):
                task_id = f"{part}-{number}"
                told[task_id] = await outcome(publisher, message(queue, task_id))

        publishing = asyncio.gather(*(publish(part) for part in range(4)))
        while not publishing.done():
            await asyncio.sleep(0.05)
            await asyncio.to_thread(broker.proxy.reset)
        await publishing
        return told

    told = asyncio.run(publish_and_reset())
    assert set(told.values()) <= {"confirmed", "BrokerUnavailable"}
    confirmed = {task_id for task_id, answer in told.items() if answer == "confirmed"}
    assert confirmed
    assert confirmed <= set(broker.take_ids(queue))
    asyncio.run(until_confirmed(publisher, message(queue, "after")))


def test_a_slow_way(broker: BrokerUnderTest, publisher: Publisher) -> None:
    """Is only slow."""
    queue = broker.declare()
    broker.proxy.pass_on(delay_seconds=0.1)
    wanted = [message(queue, f"id-{number}") for number in range(20)]
    assert set(asyncio.run(outcomes(publisher, wanted))) == {"confirmed"}
    assert len(broker.take_ids(queue)) == 20


def test_a_memory_alarm_is_said_at_once_and_waited_out(
    rabbitmq: BrokerUnderTest, rabbitmq_publisher: Publisher
) -> None:
    """One connection throughout, kept for the broker's word that the alarm is over; no copies pile up."""
    queue = rabbitmq.declare()
    publish = rabbitmq_publisher
    assert asyncio.run(outcome(publish, message(queue, "before"))) == "confirmed"
    ctl: Any = rabbitmq.server
    ctl.ctl("set_vm_memory_high_watermark", "0.0000001")
    try:
        assert asyncio.run(outcome(publish, message(queue, "first"))) == "BrokerBlocked"
        answers = asyncio.run(outcomes(publish, [message(queue, f"{number}") for number in range(20)]))
        assert answers == ["BrokerBlocked"] * 20
        with pytest.raises(Exception, match="resource alarm"):
            asyncio.run(publish.ping())
    finally:
        ctl.ctl("set_vm_memory_high_watermark", "0.4")
    asyncio.run(until_confirmed(publish, message(queue, "after")))
    assert rabbitmq.proxy.accepted == 1
    assert rabbitmq.take_ids(queue) == ["before", "first", "after"]


def test_an_alarm_that_is_never_called_off_is_not_believed_for_ever(
    rabbitmq: BrokerUnderTest, rabbitmq_publisher: Publisher
) -> None:
    """Whoever was told of it long ago asks again over a new connection."""
    queue = rabbitmq.declare()
    assert asyncio.run(outcome(rabbitmq_publisher, message(queue, "before"))) == "confirmed"
    connection_of(rabbitmq_publisher)._on_blocked("a word that was never taken back")
    assert asyncio.run(outcome(rabbitmq_publisher, message(queue, "id-1"))) == "BrokerBlocked"
    connection: Any = connection_of(rabbitmq_publisher)
    connection._blocked_at -= BLOCKED_SECONDS + 1
    assert asyncio.run(outcome(rabbitmq_publisher, message(queue, "id-1"))) == "confirmed"
    assert rabbitmq.proxy.accepted == 2


def test_a_frozen_broker(broker: BrokerUnderTest, publisher: Publisher) -> None:
    """It neither answers nor closes: refused, and served when it goes on; nothing confirmed is lost."""
    queue = broker.declare()
    assert asyncio.run(outcome(publisher, message(queue, "before"))) == "confirmed"
    broker.server.pause()
    try:
        answers = asyncio.run(outcomes(publisher, [message(queue, f"{number}") for number in range(20)]))
        assert set(answers) == {"BrokerUnavailable"}
        assert asyncio.run(outcome(publisher, message(queue, "meanwhile"))) == "BrokerUnavailable"
    finally:
        broker.server.resume()
    asyncio.run(until_confirmed(publisher, message(queue, "after")))
    assert {"before", "after"} <= set(broker.take_ids(queue))


def test_a_broker_killed_while_publishing(broker: BrokerUnderTest, publisher: Publisher) -> None:
    """In the middle of 2,000, with signal 9: every confirmed one is in the queue afterwards."""
    queue = broker.declared_long_ago()

    async def publish_and_kill() -> dict[str, str]:
        told: dict[str, str] = {}
        well_under_way = asyncio.Event()

        async def publish(part: int) -> None:
            for number in range(100):
                task_id = f"{part}-{number}"
                told[task_id] = await outcome(publisher, message(queue, task_id))
                if len(told) >= 500:
                    well_under_way.set()

        publishing = asyncio.gather(*(publish(part) for part in range(20)))
        await well_under_way.wait()
        await asyncio.to_thread(broker.server.kill)
        await asyncio.to_thread(broker.server.start)
        await publishing
        await until_confirmed(publisher, message(queue, "after"))
        return told

    told = asyncio.run(publish_and_kill())
    assert set(told.values()) <= {"confirmed", "BrokerUnavailable"}
    confirmed = {task_id for task_id, answer in told.items() if answer == "confirmed"}
    assert len(confirmed) >= 500
    assert confirmed | {"after"} <= set(broker.take_ids(queue))


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_fork_has_a_connection_of_its_own(broker: BrokerUnderTest, publisher: Publisher) -> None:
    """Neither disturbs the other, whichever ends first."""
    queue = broker.declare()
    assert asyncio.run(outcome(publisher, message(queue, "parent-1"))) == "confirmed"
    connections = broker.proxy.accepted
    child = os.fork()
    if child == 0:
        status = 1
        try:
            told = asyncio.run(outcomes(publisher, [message(queue, f"child-{n}") for n in range(20)]))
            publisher.close()
            status = 0 if set(told) == {"confirmed"} else 2
        except BaseException:  # noqa: BLE001  the child must end here and not in pytest
            traceback.print_exc()
        finally:
            os._exit(status)
    assert asyncio.run(outcome(publisher, message(queue, "parent-2"))) == "confirmed"
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert asyncio.run(outcome(publisher, message(queue, "parent-3"))) == "confirmed"
    assert broker.proxy.accepted == 2 * connections
    assert sorted(broker.take_ids(queue)) == sorted(
        [f"parent-{n}" for n in (1, 2, 3)] + [f"child-{n}" for n in range(20)]
    )


def test_one_lost_packet_does_not_end_a_connection(rabbitmq: BrokerUnderTest) -> None:
    """The kernel may send again for as long as a confirm is waited for; py-amqp's default is a second."""
    if not hasattr(socket, "TCP_USER_TIMEOUT"):
        pytest.skip("there is no TCP_USER_TIMEOUT on this system")
    connection = BrokerConnection(rabbitmq.settings.broker_url, 100)
    try:
        limit = connection._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
        assert limit == CONFIRM_SECONDS * 1000
        assert connection._socket.gettimeout() == CONFIRM_SECONDS
    finally:
        connection.close()
