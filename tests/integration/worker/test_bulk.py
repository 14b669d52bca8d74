"""Jobs of many rows, with real workers on both brokers: whole, in order, and ended once, whatever happens."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tandem.backplane.bulk_scripts import parts_key
from tandem.backplane.dead_letter_queue import peek
from tandem.backplane.model_cards import CARDS, card_field
from tandem.backplane.topology import SYNC
from tandem.schemas.model_card import ModelCard
from tests.integration.worker.jobs import ANSWER_SECONDS, Jobs, calls_of, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from celery import Celery

    from tests.integration.conftest import LiveWorker

pytestmark = pytest.mark.timeout(400)

TIME_LIMIT_SECONDS = 8


@pytest.fixture(scope="module", params=["redis", "rabbitmq"])
def broker_url(request: pytest.FixtureRequest, redis_database: Callable[[], str]) -> str:
    """A broker of the module's own."""
    return redis_database() if request.param == "redis" else request.getfixturevalue("rabbitmq_vhost")()


@pytest.fixture(scope="module")
def worker(
    broker_url: str, live_worker: Callable[..., LiveWorker], redis_database: Callable[[], str]
) -> Iterator[LiveWorker]:
    """A ready solo worker; Redis gives back a dead one's messages soon."""
    made = live_worker(
        broker_url=broker_url,
        redis_url=redis_database(),
        TASK_TIME_LIMIT_SECONDS=str(TIME_LIMIT_SECONDS),
    )
    made.start_and_wait()
    yield made
    made.stop()


@pytest.fixture
def jobs(worker: LiveWorker) -> Iterator[Jobs]:
    """Jobs for that worker."""
    made = Jobs(worker.broker_url, worker.redis_url)
    yield made
    made.store.close()


def test_ten_thousand_rows_are_what_single_predictions_give(
    jobs: Jobs, worker: LiveWorker, client_of: Callable[[LiveWorker], Celery]
) -> None:
    """In order, all of them, each the single prediction of its row."""
    numbers = random.Random(7)  # noqa: S311  made-up rows, no secret
    rows = [
        {
            "home_elo": numbers.gauss(1500, 120),
            "away_elo": numbers.gauss(1500, 120),
            "rest_days": numbers.randint(3, 9),
        }
        for _ in range(10_000)
    ]
    task = jobs.ended(jobs.submit(rows, "match-outcome"))
    assert task.error is None
    assert task.result["errors"] == []
    assert len(task.result["predictions"]) == len(rows)
    assert (task.done, task.total, task.attempts) == (10_000, 10_000, 1)
    client = client_of(worker)
    for index in numbers.sample(range(len(rows)), 20):
        single = client.send_task("predict_match", kwargs={"features": rows[index]}, queue="ml", declare=[])
        expected = single.get(timeout=ANSWER_SECONDS)["prediction"]
        # The last digit depends on how many rows BLAS multiplies at a time.
        expected["probabilities"] = pytest.approx(expected["probabilities"], rel=1e-12)
        assert task.result["predictions"][index] == expected
    assert not jobs.store.exists(parts_key(task.task_id))


def test_a_bad_row_fails_alone(jobs: Jobs) -> None:
    """Whether it does not fit the signature or makes the model raise; the others have their predictions."""
    rows: list[dict[str, Any]] = [{"action": "echo", "count": index} for index in range(250)]
    rows[17] = {"action": 5, "colour": "red"}
    rows[120] = {"action": "raise"}
    rows[249] = {}
    result = jobs.ended(jobs.submit(rows)).result
    answered = [None if one is None else one["output"]["count"] for one in result["predictions"]]
    assert answered == [None if index in {17, 120, 249} else index for index in range(250)]
    named = {fault["row"]: {tuple(one["loc"]) for one in fault["errors"]} for fault in result["errors"]}
    assert named == {
        17: {("rows", 17, "action"), ("rows", 17, "colour")},
        120: {("rows", 120)},
        249: {("rows", 249, "action")},
    }
    assert [fault["row"] for fault in result["errors"]] == [17, 120, 249]
    assert "as asked" not in json.dumps(result)


def test_a_canceled_job_is_not_gone_on_with(jobs: Jobs, tmp_path: Path) -> None:
    """In the middle of it: the slice that runs is the last, and the progress until then is told."""
    trace = tmp_path / "trace"
    rows = [{"action": "sleep", "seconds": 0.02, "trace": str(trace)}] * 600
    task_id = jobs.submit(rows)
    wait_for(lambda: (jobs.read(task_id).done or 0) >= 8, "progress")
    before = jobs.read(task_id)
    assert before.state == "STARTED"
    assert before.total == 600
    jobs.cancel(task_id)
    done = jobs.submit([{"action": "echo"}])  # which comes after every chunk of the canceled one
    assert jobs.ended(done).state == "SUCCESS"
    canceled = jobs.read(task_id)
    assert canceled.state == "REVOKED"
    assert canceled.result is None
    assert len(trace.read_text().splitlines()) < 200
    assert not jobs.store.exists(parts_key(task_id))


def test_an_expired_job_is_not_gone_on_with(jobs: Jobs, tmp_path: Path) -> None:
    """Though no-one looked at it meanwhile."""
    trace = tmp_path / "trace"
    rows = [{"action": "sleep", "seconds": 0.02, "trace": str(trace)}] * 600
    task_id = jobs.submit(rows, expires_in=1)
    assert jobs.ended(jobs.submit([{"action": "echo"}])).state == "SUCCESS"
    assert jobs.read(task_id).state == "REVOKED"
    assert len(trace.read_text().splitlines()) < 200


def test_a_waiting_caller_goes_before_the_rest_of_a_chunk(
    jobs: Jobs, worker: LiveWorker, client_of: Callable[[LiveWorker], Celery]
) -> None:
    """On a worker of one process, with chunks in hand that take seconds."""
    rows = [{"action": "sleep", "seconds": 0.02}] * 300
    task_id = jobs.submit(rows)
    wait_for(lambda: (jobs.read(task_id).done or 0) > 0, "progress")
    single = client_of(worker).send_task(
        "predict", kwargs={"model": "probe", "features": {"action": "echo"}}, queue=SYNC, declare=[]
    )
    assert single.get(timeout=ANSWER_SECONDS)["prediction"]["output"]["echo"] == "echo"
    assert (jobs.read(task_id).done or 0) < 300
    assert jobs.ended(task_id).state == "SUCCESS"


def test_a_killed_workers_chunks_go_on_where_they_were(
    jobs: Jobs, worker: LiveWorker, tmp_path: Path
) -> None:
    """With kill -9 in the middle of a chunk: no row is lost, and what was written is not predicted again."""
    calls = tmp_path / "calls"
    rows = [{"action": "sleep", "seconds": 0.02, "count": n, "calls": str(calls)} for n in range(300)]
    task_id = jobs.submit(rows)
    wait_for(lambda: (jobs.read(task_id).done or 0) >= 20, "progress")
    worker.kill()
    worker.start_and_wait()
    task = jobs.ended(task_id)
    assert [one["output"]["count"] for one in task.result["predictions"]] == list(range(300))
    assert task.done == 300
    assert 300 <= sum(calls_of(calls)) < 330


def test_two_workers_share_a_job(
    jobs: Jobs, worker: LiveWorker, live_worker: Callable[..., LiveWorker], tmp_path: Path
) -> None:
    """Each predicts chunks of it: neither takes in hand what the other could begin."""
    second = live_worker(broker_url=worker.broker_url, redis_url=worker.redis_url)
    second.start_and_wait()
    trace = tmp_path / "trace"
    task = jobs.ended(jobs.submit([{"action": "sleep", "seconds": 0.01, "trace": str(trace)}] * 1000))
    second.stop()
    assert task.state == "SUCCESS"
    pids = [line.split()[0] for line in trace.read_text().splitlines()]
    shares = sorted(pids.count(pid) for pid in set(pids))
    assert len(shares) == 2
    assert shares[0] >= 250  # at least one of the four chunks


def test_rows_checked_for_another_version_are_checked_again(jobs: Jobs) -> None:
    """Where the alias has moved since: what no longer fits fails alone, and the rest is predicted."""
    field = card_field("probe", "champion")
    text = jobs.store.hget(CARDS, field)
    assert text is not None
    card = ModelCard.model_validate_json(text)
    older = {"type": "any", "name": "action", "required": True}
    before = card.model_copy(update={"model_version": "0", "inputs": [older, *card.inputs[1:]]})
    jobs.store.hset(CARDS, field, before.model_dump_json())
    task_id = jobs.submit([{"action": "echo"}, {"action": 5}, {"action": "echo", "count": 3}])
    jobs.store.hset(CARDS, field, text)
    result = jobs.ended(task_id).result
    assert [one and one["output"]["count"] for one in result["predictions"]] == [-1, None, 3]
    assert result["errors"] == [
        {"row": 1, "errors": [{"loc": ["rows", 1, "action"], "msg": "must be a string"}]}
    ]


@pytest.fixture(scope="module")
def prefork(worker: LiveWorker, live_worker: Callable[..., LiveWorker]) -> Iterator[LiveWorker]:
    """A ready prefork worker in the place of the other, for the last tests of this file."""
    worker.stop()
    made = live_worker(
        broker_url=worker.broker_url,
        redis_url=worker.redis_url,
        pool="prefork",
        concurrency=2,
        TASK_TIME_LIMIT_SECONDS=str(TIME_LIMIT_SECONDS),
    )
    made.start_and_wait()
    yield made
    made.stop()


@pytest.mark.usefixtures("prefork")
def test_a_chunk_may_take_longer_than_a_task(jobs: Jobs, tmp_path: Path) -> None:
    """Its process gives it back before the time limit, and it goes on where it was."""
    calls = tmp_path / "calls"
    rows = [{"action": "sleep", "seconds": 0.1, "count": n, "calls": str(calls)} for n in range(100)]
    task = jobs.ended(jobs.submit(rows))
    assert task.state == "SUCCESS"
    assert [one["output"]["count"] for one in task.result["predictions"]] == list(range(100))
    assert sum(calls_of(calls)) == 100
    assert task.attempts == 1


@pytest.mark.usefixtures("prefork")
def test_a_chunk_that_kills_its_worker_fails_the_job(jobs: Jobs) -> None:
    """Its attempts are spent, its caller is told, its dead letter is not replayed; other jobs go on."""
    task_id = jobs.submit([{"action": "echo"}] * 150 + [{"action": "exit"}])
    task = jobs.ended(task_id)
    assert task.state == "FAILURE"
    assert task.error is not None
    assert task.error["type"] == "/problems/poison-task"
    wait_for(lambda: task_id in {letter.task_id for letter in peek(jobs.settings)}, "the dead letter")
    urls = {"BROKER_URL": jobs.settings.broker_url, "REDIS_URL": jobs.settings.redis_url}
    replay = [sys.executable, "-m", "worker.dead_letters", "replay", task_id]
    assert subprocess.run(replay, check=False, timeout=60, env={**os.environ, **urls}).returncode == 1
    assert jobs.read(task_id).state == "FAILURE"
    assert jobs.ended(jobs.submit([{"action": "echo"}] * 150)).state == "SUCCESS"
