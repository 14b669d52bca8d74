"""What a worker, a task and a store can do to a delivery, on both brokers: nothing that loses it."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
import redis

from tandem.backplane.dead_letter_queue import peek
from tandem.backplane.match_store import match_key
from tandem.backplane.settings import Settings
from tandem.backplane.task_scripts import record_key
from tandem.backplane.topology import NORMAL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from celery import Celery

    from local.private_redis import PrivateRedis
    from tests.integration.conftest import LiveWorker

pytestmark = pytest.mark.timeout(500)

TIME_LIMIT_SECONDS = 12
ANSWER_SECONDS = 90


@pytest.fixture(scope="module", params=["redis", "rabbitmq"])
def worker(
    request: pytest.FixtureRequest,
    live_worker: Callable[..., LiveWorker],
    redis_database: Callable[[], str],
) -> Iterator[LiveWorker]:
    """A ready prefork worker with a short time limit; Redis gives back a dead one's messages 15 s later."""
    broker_url = redis_database() if request.param == "redis" else request.getfixturevalue("rabbitmq_vhost")()
    made = live_worker(
        broker_url=broker_url,
        redis_url=redis_database(),
        pool="prefork",
        concurrency=2,
        TASK_TIME_LIMIT_SECONDS=str(TIME_LIMIT_SECONDS),
        SERVED_MODELS="probe",
    )
    made.start_and_wait()
    yield made
    made.stop()


@pytest.fixture
def client(worker: LiveWorker, client_of: Callable[[LiveWorker], Celery]) -> Celery:
    """A user's own Celery client."""
    return client_of(worker)


def send(client: Celery, **features: object) -> Any:
    """Ask the probe."""
    kwargs = {"model": "probe", "features": features}
    return client.send_task("predict", kwargs=kwargs, queue=NORMAL, declare=[])


def executions(trace: Path) -> int:
    """How often the model was called."""
    return len(trace.read_text().splitlines()) if trace.exists() else 0


def wait_for(truth: Callable[[], object], what: str) -> None:
    """Wait until it is so; fail after a bound."""
    deadline = time.monotonic() + ANSWER_SECONDS
    while not truth():
        assert time.monotonic() < deadline, f"never came: {what}"
        time.sleep(0.05)


def record(worker: LiveWorker, task_id: str) -> dict[bytes, bytes]:
    """The life of a task, as it stands in the store."""
    with redis.Redis.from_url(worker.redis_url) as store:
        fields: Any = store.hgetall(record_key(task_id))
        return dict(fields)


def dead_letters(worker: LiveWorker) -> list[str]:
    """Task ids of the dead letters."""
    settings = Settings(broker_url=worker.broker_url, redis_url=worker.redis_url)
    return [letter.task_id for letter in peek(settings)]


def test_a_task_whose_worker_was_killed_runs_again(
    worker: LiveWorker, client: Celery, tmp_path: Path
) -> None:
    """With kill -9 in the middle of it: a new worker gets it again and ends it, in its second attempt."""
    trace = tmp_path / "trace"
    results = [send(client, action="sleep", seconds=2.0, trace=str(trace)) for _ in range(4)]
    wait_for(lambda: executions(trace) >= 2, "the first executions")
    worker.kill()
    worker.start_and_wait()
    for result in results:
        answer = result.get(timeout=ANSWER_SECONDS)
        assert answer["prediction"]["output"]["echo"] == "sleep"
    assert {record(worker, result.id)[b"s"] for result in results} == {b"SUCCESS"}
    assert max(int(record(worker, result.id)[b"n"]) for result in results) == 2
    assert executions(trace) == 6


def test_a_task_that_kills_its_process_is_poison(worker: LiveWorker, client: Celery, tmp_path: Path) -> None:
    """It is tried as often as allowed, then its caller is told, and it lies among the dead; others go on."""
    trace = tmp_path / "trace"
    poison = send(client, action="exit", trace=str(trace))
    with pytest.raises(Exception, match=r"given up|gave up"):
        poison.get(timeout=ANSWER_SECONDS)
    assert send(client, action="echo").get(timeout=ANSWER_SECONDS)
    assert executions(trace) == Settings().max_attempts
    problem = json.loads(record(worker, poison.id)[b"e"])
    assert problem["type"] == "/problems/poison-task"
    wait_for(lambda: poison.id in dead_letters(worker), "the dead letter")


def test_a_task_that_hangs_ends_as_timed_out(worker: LiveWorker, client: Celery, tmp_path: Path) -> None:
    """After the time limit its caller is told; it is not run again, and its process is replaced."""
    trace = tmp_path / "trace"
    hanging = send(client, action="sleep", seconds=300.0, trace=str(trace))
    with pytest.raises(Exception, match="within 12 s"):
        hanging.get(timeout=ANSWER_SECONDS)
    assert json.loads(record(worker, hanging.id)[b"e"])["type"] == "/problems/task-timed-out"
    results = [send(client, action="echo") for _ in range(10)]
    assert all(result.get(timeout=ANSWER_SECONDS) for result in results)
    assert executions(trace) == 1


def test_a_defect_is_told_and_kept(worker: LiveWorker, client: Celery) -> None:
    """What no rule foresees (a stored match that is no JSON) ends its task, and its message is kept."""
    with redis.Redis.from_url(worker.redis_url) as store:
        store.set(match_key(44), "{")
    kwargs = {"model": "probe", "match_id": 44}
    result = client.send_task("predict", kwargs=kwargs, queue=NORMAL, declare=[])
    with pytest.raises(Exception, match="Internal error"):
        result.get(timeout=ANSWER_SECONDS)
    wait_for(lambda: result.id in dead_letters(worker), "the dead letter")


def test_a_store_that_is_away_loses_nothing(
    worker: LiveWorker, client: Celery, redis_server: PrivateRedis, tmp_path: Path
) -> None:
    """Killed while tasks run and back some seconds later: every task ends with its answer."""
    trace = tmp_path / "trace"
    # Ids alone: Celery's own results would reconnect on their own, and give up.
    task_ids = [send(client, action="sleep", seconds=1.0, trace=str(trace)).id for _ in range(6)]
    wait_for(lambda: executions(trace) >= 2, "the first executions")
    redis_server.kill()
    time.sleep(3)
    redis_server.start()
    wait_for(
        lambda: all(record(worker, task_id).get(b"s") == b"SUCCESS" for task_id in task_ids), "every success"
    )
