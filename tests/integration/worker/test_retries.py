"""What can pass is tried again after a pause, on both brokers; what cannot ends at once."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
import redis

from tandem.backplane.broker import BrokerConnection
from tandem.backplane.dead_letter_queue import peek
from tandem.backplane.errors import QueueFull
from tandem.backplane.message import Message, delivery_header, task_body, task_headers
from tandem.backplane.model_cards import publish_cards
from tandem.backplane.settings import Settings
from tandem.backplane.store import synchronous_client
from tandem.backplane.task_attempts import Attempt, Delivery, TaskAttempts
from tandem.backplane.task_scripts import record_key
from tandem.backplane.topology import NORMAL, REDIS_RETRIES
from tests.integration.worker.jobs import PROBE
from worker.redis_retries import move_due, put_off

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from celery import Celery

    from local.private_redis import PrivateRedis
    from tests.integration.conftest import LiveWorker

pytestmark = pytest.mark.timeout(500)

ANSWER_SECONDS = 90


@pytest.fixture(params=["redis", "rabbitmq"])
def urls(request: pytest.FixtureRequest, redis_database: Callable[[], str]) -> tuple[str, str]:
    """Of an empty broker and an empty store."""
    broker = redis_database() if request.param == "redis" else request.getfixturevalue("rabbitmq_vhost")()
    return broker, redis_database()


@pytest.fixture
def start(
    live_worker: Callable[..., LiveWorker], urls: tuple[str, str]
) -> Iterator[Callable[..., LiveWorker]]:
    """Start a worker there; it ends with the test."""
    made: list[LiveWorker] = []

    def begin(**settings: str) -> LiveWorker:
        made.append(live_worker(broker_url=urls[0], redis_url=urls[1], **settings))
        made[-1].start_and_wait()
        return made[-1]

    yield begin
    for worker in made:
        worker.stop()


def send(client: Celery, **kwargs: object) -> str:
    """Ask for a prediction and give the task's id."""
    return str(client.send_task("predict", kwargs=kwargs, queue=NORMAL, declare=[]).id)


def record(redis_url: str, task_id: str) -> dict[bytes, bytes]:
    """The life of a task, as it stands in the store."""
    with redis.Redis.from_url(redis_url) as store:
        fields: Any = store.hgetall(record_key(task_id))
        return dict(fields)


def wait_for(truth: Callable[[], object], what: str) -> None:
    """Wait until it is so; fail after a bound."""
    deadline = time.monotonic() + ANSWER_SECONDS
    while not truth():
        assert time.monotonic() < deadline, f"never came: {what}"
        time.sleep(0.05)


def test_a_task_waits_for_a_worker_that_has_its_model(
    start: Callable[..., LiveWorker], urls: tuple[str, str], client_of: Callable[[LiveWorker], Celery]
) -> None:
    """One that has not loaded what another serves puts it off, more than once; no attempt counts for that."""
    without = start(SERVED_MODELS="match-outcome")
    store = synchronous_client(urls[1])
    publish_cards(store, [PROBE])
    store.close()
    task_id = send(client_of(without), model="probe", features={"action": "echo"})
    wait_for(lambda: int(record(urls[1], task_id).get(b"z", 0)) >= 2, "the second pause")
    assert record(urls[1], task_id)[b"s"] in {b"RETRY", b"STARTED"}
    without.stop()
    start(SERVED_MODELS="probe")
    wait_for(lambda: record(urls[1], task_id)[b"s"] == b"SUCCESS", "the answer")


def test_a_model_that_nobody_serves_is_not_waited_for(
    start: Callable[..., LiveWorker], urls: tuple[str, str], client_of: Callable[[LiveWorker], Celery]
) -> None:
    """It ends with its first attempt."""
    task_id = send(client_of(start(SERVED_MODELS="match-outcome")), model="none", features={"x": 1})
    wait_for(lambda: record(urls[1], task_id).get(b"s") == b"FAILURE", "the end")
    fields = record(urls[1], task_id)
    assert json.loads(fields[b"e"])["type"] == "/problems/model-not-found"
    assert fields[b"n"] == b"1"


def test_a_store_that_stays_away_is_waited_for(
    start: Callable[..., LiveWorker],
    urls: tuple[str, str],
    client_of: Callable[[LiveWorker], Celery],
    redis_server: PrivateRedis,
    tmp_path: Path,
) -> None:
    """Longer than a worker waits with a task in hand: no task is lost, dead-lettered or taken for poison."""
    worker = start(SERVED_MODELS="probe", TASK_TIME_LIMIT_SECONDS="4")
    client, trace = client_of(worker), tmp_path / "trace"
    features = {"action": "sleep", "seconds": 1.0, "trace": str(trace)}
    task_ids = [send(client, model="probe", features=features) for _ in range(6)]
    wait_for(trace.exists, "the first execution")
    redis_server.kill()
    time.sleep(10)
    redis_server.start()
    wait_for(lambda: all(record(urls[1], one).get(b"s") == b"SUCCESS" for one in task_ids), "every success")
    assert peek(Settings(broker_url=urls[0], redis_url=urls[1])) == []


def test_a_caller_who_would_be_gone_is_not_waited_for(
    start: Callable[..., LiveWorker], urls: tuple[str, str]
) -> None:
    """A task whose deadline comes before the end of the pause ends at once, as a failure that can pass."""
    start(SERVED_MODELS="match-outcome")
    store = synchronous_client(urls[1])
    publish_cards(store, [PROBE])
    store.close()
    deadline = int(time.time() * 1000) + 900
    header = delivery_header(submitted_ms=1, deadline_ms=deadline, accepted=True)
    body = task_body({"model": "probe", "alias": "champion"}, b'{"action": "echo"}')
    message = Message("soon", NORMAL, body, task_headers("predict", "soon", header), durable=True)
    connection = BrokerConnection(urls[0], 100)
    assert connection.publish([message]) == {}
    connection.close()
    wait_for(lambda: record(urls[1], "soon").get(b"s") == b"FAILURE", "the end")
    assert json.loads(record(urls[1], "soon")[b"e"])["type"] == "/problems/workers-unavailable"


def test_what_waits_on_redis_is_moved_once_it_is_due(redis_database: Callable[[], str]) -> None:
    """Not before; by one mover, to the lane of high priority; and it is gone from where it waited."""
    given = Settings(broker_url=redis_database())
    client = synchronous_client(given.broker_url)
    later = Message(
        "later", "ml.retry.1", b"[[], {}, {}]", {"id": "later"}, durable=True, expiration_seconds=60
    )
    now = Message("now", "ml.retry.1", b"[[], {}, {}]", {"id": "now"}, durable=True, expiration_seconds=0)
    put_off(given, [later, now])
    assert move_due(given, client) == 1
    assert move_due(given, client) == 0
    [moved] = client.lrange("ml.high", 0, -1)
    assert json.loads(moved)["headers"]["id"] == "now"
    assert client.zcard(REDIS_RETRIES) == 1
    assert client.ttl(REDIS_RETRIES) > 0
    client.close()


def test_what_waits_on_redis_is_bounded(redis_database: Callable[[], str]) -> None:
    """Where there is no room it goes back to its queue instead."""
    given = Settings(broker_url=redis_database(), queue_max_length=1)
    message = Message("a", "ml.retry.1", b"[]", {"id": "a"}, durable=True, expiration_seconds=60)
    put_off(given, [message])
    with pytest.raises(QueueFull):
        put_off(given, [message])


def test_giving_back_does_not_use_up_an_attempt(redis_database: Callable[[], str]) -> None:
    """However often a task was put off, it can still be run."""
    given = Settings(redis_url=redis_database())
    client = synchronous_client(given.redis_url)
    attempts = TaskAttempts(client, given)
    for _ in range(given.max_attempts * 3):
        [attempt] = attempts.start([Delivery("t")])
        assert isinstance(attempt, Attempt)
        assert attempts.give_back([attempt]) == [True]
    client.close()
