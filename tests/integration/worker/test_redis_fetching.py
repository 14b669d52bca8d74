"""Redis as the broker: what a worker takes out of a queue lies somewhere at every moment."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, Self

import pytest
import redis
from kombu import Connection, Consumer, Queue

from local.private_redis import PrivateRedis
from tandem.backplane.topology import NORMAL, PREDICTION_QUEUES
from worker.redis_slots import ITEMS, TIMES, put_back, take
from worker.redis_transport import Transport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from celery import Celery
    from kombu.message import Message

    from tests.integration.conftest import LiveWorker

pytestmark = pytest.mark.timeout(200)

WAIT_SECONDS = 60
OPTIONS = {"queue_order_strategy": "priority"}
KILLED_BEFORE_THE_NOTE = """
import os, signal, sys
from kombu import Connection, Consumer, Queue
from worker.redis_transport import QoS, Transport

QoS.append = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
url, way = sys.argv[1:]
with Connection(url, transport=Transport) as connection, connection.channel() as channel:
    if way == "get":
        channel.basic_get("ml")
    with Consumer(channel, [Queue(name) for name in ("ml.sync", "ml")]):
        connection.drain_events(timeout=30)
"""


def test_what_comes_while_it_predicts_stays_in_the_queue(
    live_worker: Callable[..., LiveWorker],
    redis_database: Callable[[], str],
    client_of: Callable[[LiveWorker], Celery],
    tmp_path: Path,
) -> None:
    """So a kill -9 in that moment loses none of it: another worker does it."""
    worker = live_worker(
        broker_url=redis_database(), redis_url=redis_database(), SERVED_MODELS="probe", pool="solo"
    )
    worker.start_and_wait()
    client, trace = client_of(worker), tmp_path / "trace"

    def send(action: str, **features: object) -> None:
        kwargs = {"model": "probe", "features": {"action": action, **features}}
        client.send_task("predict", kwargs=kwargs, queue=NORMAL, declare=[])

    with redis.Redis.from_url(worker.broker_url) as broker:
        for _ in range(3):  # whatever its connection was waiting with before
            send("sleep", seconds=2.0, trace=str(trace))
            deadline = time.monotonic() + WAIT_SECONDS
            began = len(trace.read_text().splitlines()) if trace.exists() else 0
            while not trace.exists() or len(trace.read_text().splitlines()) == began:
                assert time.monotonic() < deadline, worker.log_end()
                time.sleep(0.01)
            for _ in range(3):
                send("echo")
            assert broker.llen(NORMAL) == 3
            while broker.llen(NORMAL) or broker.zcard("unacked_index"):
                assert time.monotonic() < deadline, worker.log_end()
                time.sleep(0.01)
    worker.stop()


@pytest.fixture
def broker(redis_database: Callable[[], str]) -> Iterator[Broker]:
    """An empty Redis as the broker."""
    with Broker(redis_database()) as made:
        yield made


class Broker:
    """A Redis seen as a worker sees it, and as it is."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.redis = redis.Redis.from_url(url)
        self.connection: Any = Connection(url, transport=Transport, transport_options=OPTIONS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.release()
        self.redis.close()

    def send(self, queue: str, body: object) -> None:
        """Put a message into a queue."""
        with Connection(self.url) as connection, connection.SimpleQueue(queue) as simple:
            simple.put(body, serializer="json")

    def consumer(self, queues: Sequence[str], received: list[object], *, prefetch: int = 0) -> Any:
        """A consumer that acknowledges what it notes."""
        channel = self.connection.channel()
        channel.basic_qos(0, prefetch, False)

        def note(body: object, message: Message) -> None:
            received.append(body)
            message.ack()

        return Consumer(channel, [Queue(name) for name in queues], callbacks=[note], accept=["json"])

    def receive(self, queues: Sequence[str], count: int) -> list[object]:
        """So many messages, in the order in which they came."""
        received: list[object] = []
        with self.consumer(queues, received):
            while len(received) < count:
                self.connection.drain_events(timeout=WAIT_SECONDS)
        return received

    def is_idle(self) -> bool:
        """Whether nothing is noted, taken or waiting."""
        return not self.redis.exists("unacked", "unacked_index", ITEMS, TIMES, *PREDICTION_QUEUES)


def test_nothing_is_taken_from_a_redis_that_could_not_note_it(tmp_path: Path) -> None:
    """Out of memory: the worker waits, and goes on when there is some again."""
    with PrivateRedis(tmp_path) as server, Broker(server.url) as broker:
        broker.send(NORMAL, "accepted")
        received: list[object] = []
        with broker.consumer(PREDICTION_QUEUES, received) as consumer:
            broker.redis.config_set("maxmemory", "1")
            with pytest.raises(TimeoutError):
                broker.connection.drain_events(timeout=2)
            assert consumer.channel.basic_get(NORMAL) is None
            assert broker.redis.llen(NORMAL) == 1
            broker.redis.config_set("maxmemory", "0")
            while not received:
                broker.connection.drain_events(timeout=WAIT_SECONDS)
        assert received == ["accepted"]


@pytest.mark.parametrize("way", ["drain", "get"])
def test_what_is_taken_by_a_worker_that_is_killed_before_it_notes_it_comes_back(
    broker: Broker, way: str
) -> None:
    """The process ends by SIGKILL between the two, whichever way it takes messages."""
    broker.send(NORMAL, "accepted")
    ended = subprocess.run(
        [sys.executable, "-c", KILLED_BEFORE_THE_NOTE, broker.url, way], check=False, timeout=WAIT_SECONDS
    )
    assert ended.returncode == -signal.SIGKILL
    assert not broker.redis.exists(NORMAL, "unacked")
    assert put_back(broker.redis, 3600) == 0, "it may be a live worker's still"
    assert put_back(broker.redis, 0) == 1
    assert broker.receive(PREDICTION_QUEUES, 1) == ["accepted"]
    assert broker.is_idle()


def test_a_worker_that_is_cut_off_has_taken_nothing(broker: Broker) -> None:
    """It waits, Redis answers, and the answer is never read: the message lies where it lay."""
    received: list[object] = []
    waiting = Broker(broker.url)
    with waiting, waiting.consumer(PREDICTION_QUEUES, received):
        cycle = waiting.connection.transport.cycle
        cycle.on_poll_start()
        for queue in PREDICTION_QUEUES:
            broker.send(queue, queue)
        assert cycle.poller.poll(WAIT_SECONDS), "no answer"
        assert [broker.redis.llen(queue) for queue in PREDICTION_QUEUES] == [1, 1, 1, 1]
    assert received == []
    assert broker.receive(PREDICTION_QUEUES, 4) == list(PREDICTION_QUEUES)


def test_an_item_that_is_no_message_comes_back_to_the_byte(broker: Broker) -> None:
    """Nobody reads it on the way."""
    items = [b"\xff\xfe", b"", b'{"a": ', b"a b\r\n"]
    broker.redis.lpush(NORMAL, *items)
    for _ in items:
        assert take(broker.redis, PREDICTION_QUEUES)
    assert put_back(broker.redis, 0) == len(items)
    assert sorted(broker.redis.lrange(NORMAL, 0, -1)) == sorted(items)


def test_messages_are_taken_in_the_order_of_the_queues(broker: Broker) -> None:
    """Whatever came first, and also after Redis has forgotten its scripts."""
    for queue in reversed(PREDICTION_QUEUES):
        broker.send(queue, queue)
    broker.redis.script_flush()
    assert broker.receive(PREDICTION_QUEUES, 4) == list(PREDICTION_QUEUES)
    assert broker.is_idle()


def test_no_more_is_taken_than_may_be_held(broker: Broker) -> None:
    """The others lie in their queues, for other workers."""
    for number in range(3):
        broker.send(NORMAL, number)
    held: list[Message] = []
    consumer = broker.consumer(PREDICTION_QUEUES, [], prefetch=1)
    consumer.callbacks = [lambda _body, message: held.append(message)]
    with consumer:
        for number in range(3):
            while len(held) == number:
                broker.connection.drain_events(timeout=WAIT_SECONDS)
            with pytest.raises(TimeoutError):
                broker.connection.drain_events(timeout=0.2)
            assert broker.redis.llen(NORMAL) == 2 - number
            held[number].ack()
    assert broker.is_idle()


def test_a_message_that_need_not_be_acknowledged_leaves_nothing_behind(broker: Broker) -> None:
    """Its slot is emptied when it has been handed over."""
    broker.send(NORMAL, "one")
    broker.send(NORMAL, "two")
    received: list[object] = []
    consumer = broker.consumer([NORMAL], received)
    assert consumer.channel.basic_get(NORMAL, no_ack=True).payload == "one"
    consumer.no_ack, consumer.callbacks = True, [lambda body, _message: received.append(body)]
    with consumer:
        broker.connection.drain_events(timeout=WAIT_SECONDS)
    assert received == ["two"]
    assert broker.is_idle()


def test_a_worker_puts_back_what_a_dead_one_had_taken(
    live_worker: Callable[..., LiveWorker],
    redis_database: Callable[[], str],
    client_of: Callable[[LiveWorker], Celery],
) -> None:
    """And does it."""
    worker = live_worker(broker_url=redis_database(), redis_url=redis_database(), SERVED_MODELS="probe")
    kwargs = {"model": "probe", "features": {"action": "echo"}}
    task = client_of(worker).send_task("predict", kwargs=kwargs, queue=NORMAL, declare=[])
    with redis.Redis.from_url(worker.broker_url) as client:
        taken = take(client, PREDICTION_QUEUES)
        assert taken is not None
        client.zadd(TIMES, {taken.slot: 1.0})  # long ago
        worker.start_and_wait()
        task.get(timeout=WAIT_SECONDS)
        assert not client.exists(ITEMS, TIMES)
    worker.stop()
