"""The operator's commands on real dead letters, on both brokers, and the recorder that tells the callers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import redis
from kombu import Connection

from local.ports import free_port
from tandem.backplane import topology
from tandem.backplane.dead_letter_queue import peek, purge
from tandem.backplane.settings import Settings
from tandem.backplane.store import synchronous_client
from tandem.backplane.task_attempts import TaskAttempts
from tandem.backplane.task_scripts import meta_key, record_key
from tandem.backplane.topology import MAX_DELIVERIES, NORMAL
from worker.tasks import Verdict, bury, predict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from celery import Celery

    from local.private_redis import PrivateRedis
    from tests.integration.conftest import LiveWorker

pytestmark = pytest.mark.timeout(400)

REPOSITORY = Path(__file__).parents[3]
ANSWER_SECONDS = 30
COMMAND_SECONDS = 60


@pytest.fixture(scope="module", params=["redis", "rabbitmq"])
def worker(
    request: pytest.FixtureRequest,
    live_worker: Callable[..., LiveWorker],
    redis_database: Callable[[], str],
) -> Iterator[LiveWorker]:
    """A ready worker that gives a task up after one attempt."""
    broker_url = redis_database() if request.param == "redis" else request.getfixturevalue("rabbitmq_vhost")()
    made = live_worker(
        broker_url=broker_url,
        redis_url=redis_database(),
        pool="prefork",
        SERVED_MODELS="probe",
        MAX_ATTEMPTS="1",
    )
    made.start_and_wait()
    yield made
    made.stop()


@pytest.fixture
def client(worker: LiveWorker, client_of: Callable[[LiveWorker], Celery]) -> Celery:
    """A user's own Celery client."""
    return client_of(worker)


@pytest.fixture(autouse=True)
def no_dead_letters(worker: LiveWorker) -> Iterator[None]:
    """Each test begins and ends without any."""
    settings = Settings(broker_url=worker.broker_url, redis_url=worker.redis_url)
    purge(settings, lambda _: True)
    yield
    purge(settings, lambda _: True)


def command(
    worker: LiveWorker, *arguments: str, broker_url: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `python -m worker.dead_letters ARGUMENTS`."""
    variables = {
        **os.environ,
        "BROKER_URL": broker_url or worker.broker_url,
        "REDIS_URL": worker.redis_url,
        "PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'common'}",
    }
    return subprocess.run(
        [sys.executable, "-m", "worker.dead_letters", *arguments],
        cwd=REPOSITORY,
        env=variables,
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )


def wait_for(truth: Callable[[], object], what: str) -> None:
    """Wait until it is so; fail after a bound."""
    deadline = time.monotonic() + ANSWER_SECONDS
    while not truth():
        assert time.monotonic() < deadline, f"never came: {what}"
        time.sleep(0.1)


def state(redis_url: str, task_id: str) -> bytes | None:
    """What a caller reads."""
    with redis.Redis.from_url(redis_url) as store:
        found: Any = store.hget(record_key(task_id), "s")
        return bytes(found) if found is not None else None


def dead(worker: LiveWorker, client: Celery, count: int, switch: Path) -> list[str]:
    """Make tasks that end their process for as long as `switch` is there, and wait for their dead letters."""
    switch.touch()
    settings = Settings(broker_url=worker.broker_url, redis_url=worker.redis_url)
    task_ids: list[str] = []
    for number in range(count):
        features = {"action": "exit", "switch": str(switch), "count": number}
        sent = client.send_task(
            "predict", kwargs={"model": "probe", "features": features}, queue=NORMAL, declare=[]
        )
        task_ids.append(sent.id)
        wait_for(lambda: len(peek(settings)) == len(task_ids), "the dead letter")
        wait_for(lambda: state(worker.redis_url, task_ids[-1]) == b"FAILURE", "the failure")
    return task_ids


def test_a_dead_letter_is_listed_shown_and_stays(worker: LiveWorker, client: Celery, tmp_path: Path) -> None:
    """Oldest first; looking takes nothing away, and what is not there is said."""
    task_ids = dead(worker, client, 2, tmp_path / "switch")
    for _ in range(2):
        listed = command(worker, "list")
        assert listed.returncode == 0, listed.stderr
        lines = listed.stdout.splitlines()
        assert [line.split()[0] for line in lines[:-1]] == task_ids
        assert all(NORMAL in line.split() and "predict probe" in line for line in lines[:-1])
        assert lines[-1] == "2 dead letters"
    shown = command(worker, "show", task_ids[1])
    assert shown.returncode == 0
    assert task_ids[1] in shown.stdout
    assert '"action": "exit"' in shown.stdout
    missing = command(worker, "show", "no-such-task")
    assert missing.returncode == 1
    assert "no-such-task" in missing.stderr


def test_replayed_tasks_end_for_their_callers(worker: LiveWorker, client: Celery, tmp_path: Path) -> None:
    """One, then all; the one that still ends its process is a dead letter again."""
    switch = tmp_path / "switch"
    task_ids = dead(worker, client, 3, switch)
    again = command(worker, "replay", task_ids[1])
    assert (again.returncode, again.stdout) == (0, f"replayed 1: {task_ids[1]}\n"), again.stderr
    settings = Settings(broker_url=worker.broker_url, redis_url=worker.redis_url)
    wait_for(lambda: len(peek(settings)) == 3, "its dead letter")
    wait_for(lambda: state(worker.redis_url, task_ids[1]) == b"FAILURE", "its failure")
    switch.unlink()
    rest = command(worker, "replay", "--all")
    assert rest.returncode == 0, rest.stderr
    assert set(rest.stdout.removeprefix("replayed 3: ").split()) == set(task_ids)
    for task_id in task_ids:
        answer = client.AsyncResult(task_id).get(timeout=ANSWER_SECONDS)
        assert answer["prediction"]["output"]["echo"] == "exit"
        assert state(worker.redis_url, task_id) == b"SUCCESS"
    assert command(worker, "list").stdout == "0 dead letters\n"


def test_a_replay_against_a_chosen_version(worker: LiveWorker, client: Celery, tmp_path: Path) -> None:
    """It is that version that answers; one that does not exist fails the task, with its number."""
    switch = tmp_path / "switch"
    good, bad = dead(worker, client, 2, switch)
    switch.unlink()
    assert command(worker, "replay", good, "--model-version", "1").returncode == 0
    answer = client.AsyncResult(good).get(timeout=ANSWER_SECONDS)
    assert answer["prediction"]["model_version"] == "1"
    assert command(worker, "replay", bad, "--model-version", "99").returncode == 0
    wait_for(lambda: state(worker.redis_url, bad) == b"FAILURE", "the failure")


def test_a_task_that_has_not_failed_is_not_replayed(
    worker: LiveWorker, client: Celery, tmp_path: Path
) -> None:
    """A caller who canceled gets no answer any more; the letter stays until it is purged."""
    [task_id] = dead(worker, client, 1, tmp_path / "switch")
    with redis.Redis.from_url(worker.redis_url) as store:
        store.hset(record_key(task_id), "s", "REVOKED")
    assert command(worker, "replay", task_id).returncode == 1
    assert command(worker, "list").stdout.endswith("1 dead letters\n")
    purged = command(worker, "purge", task_id)
    assert (purged.returncode, purged.stdout) == (0, "purged 1\n")


def test_a_replay_that_was_not_published_can_be_repeated(
    worker: LiveWorker, client: Celery, tmp_path: Path
) -> None:
    """The task waits again, but its message never left: the dead letter is there, the next replay works."""
    switch = tmp_path / "switch"
    [task_id] = dead(worker, client, 1, switch)
    switch.unlink()
    settings = Settings(broker_url=worker.broker_url, redis_url=worker.redis_url)
    store = synchronous_client(worker.redis_url)
    try:
        assert TaskAttempts(store, settings).reopen(task_id)
    finally:
        store.close()
    assert command(worker, "replay", task_id).returncode == 0
    assert client.AsyncResult(task_id).get(timeout=ANSWER_SECONDS)


@pytest.mark.parametrize("arguments", [("replay", "nobody"), ("purge", "--all")])
def test_nothing_matched_is_status_1(worker: LiveWorker, arguments: tuple[str, ...]) -> None:
    """Nothing done is said."""
    assert command(worker, *arguments).returncode == 1


@pytest.mark.parametrize("arguments", [("replay",), ("purge", "one", "--all")])
def test_which_is_never_guessed(worker: LiveWorker, arguments: tuple[str, ...]) -> None:
    """Neither ids nor `--all`, or both: the usage, and nothing is done."""
    ended = command(worker, *arguments)
    assert ended.returncode == 2
    assert "usage:" in ended.stderr


def test_a_broker_that_is_away_is_status_2(worker: LiveWorker) -> None:
    """One line, no traceback."""
    scheme = worker.broker_url.split(":", maxsplit=1)[0]
    ended = command(worker, "list", broker_url=f"{scheme}://127.0.0.1:{free_port()}/")
    assert ended.returncode == 2
    assert ended.stderr.startswith("dead_letters: ")
    assert "Traceback" not in ended.stderr


def give_up(broker_url: str, task_id: str) -> None:
    """Take a message and lose it, as often as the broker allows, as workers do that die before they begin."""
    with Connection(broker_url) as connection:
        channel: Any = connection.default_channel
        for _ in range(MAX_DELIVERIES):
            message = None
            deadline = time.monotonic() + ANSWER_SECONDS
            while message is None:
                assert time.monotonic() < deadline
                message = channel.basic_get(NORMAL, no_ack=False)
            assert message.headers["id"] == task_id
            channel.basic_reject(message.delivery_tag, requeue=True)


def test_a_task_that_the_broker_gave_up_is_a_failure(
    live_worker: Callable[..., LiveWorker],
    redis_server: PrivateRedis,
    redis_database: Callable[[], str],
    rabbitmq_vhost: Callable[[], str],
    client_of: Callable[[LiveWorker], Celery],
) -> None:
    """Its caller is told by the next worker, however often its recorder finds the store away meanwhile."""
    broker_url, redis_url = rabbitmq_vhost(), redis_database()
    with Connection(broker_url) as connection:
        topology.declare(connection, Settings().queue_max_length)
    made = live_worker(broker_url=broker_url, redis_url=redis_url, SERVED_MODELS="probe")

    def send() -> str:
        kwargs = {"model": "probe", "features": {"action": "echo"}}
        sent = client_of(made).send_task("predict", kwargs=kwargs, queue=NORMAL, declare=[])
        return str(sent.id)

    first = send()
    give_up(broker_url, first)
    made.start_and_wait()
    wait_for(lambda: state(redis_url, first) == b"FAILURE", "the failure")
    with redis.Redis.from_url(redis_url) as store:
        assert b"delivery_limit" in (store.get(meta_key(first)) or b"")
        problem = json.loads(store.hget(record_key(first), "e") or b"")
    assert problem["type"] == "/problems/poison-task"
    redis_server.kill()
    try:
        with Connection(broker_url) as connection:
            producer = connection.Producer(auto_declare=False)
            producer.publish(
                b'"hello"',
                routing_key=NORMAL,
                headers={"task": "predict", "id": "while-away"},
                content_type="application/json",
                content_encoding="utf-8",
            )
        time.sleep(3)
        assert made.is_alive
    finally:
        redis_server.start()
    wait_for(lambda: state(redis_url, "while-away") == b"FAILURE", "the failure after the outage")
    made.stop()


def test_where_the_dead_are_full_a_message_goes_back(
    redis_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis has no dead letters of its own: what finds no place among them is kept where it is."""
    full = Settings(broker_url=redis_database(), queue_max_length=1)
    monkeypatch.setattr("worker.tasks.settings", lambda: full)
    message = predict.received("id", {}, [], {"model": "m", "features": {}}, NORMAL)
    assert [bury(message, "poison") for _ in range(2)] == [Verdict.ACKNOWLEDGE, Verdict.REQUEUE]
