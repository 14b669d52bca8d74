"""What stands under a task's id in the store, a Celery client reads as its own."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, cast

import pytest
import redis
from celery import Celery
from celery.exceptions import TaskRevokedError
from celery.result import AsyncResult

from tandem.backplane.errors import InvalidRequest, ModelError, TaskNotFound
from tandem.backplane.result_format import (
    failure_meta,
    kept_json,
    kept_of,
    problem_of_meta,
    result_json_of,
    succeeded,
    success_meta,
)
from tandem.backplane.settings import Settings
from tandem.backplane.store import asynchronous_client
from tandem.backplane.task_attempts import Attempt, Delivery, TaskAttempts
from tandem.backplane.task_scripts import META_PREFIX
from tandem.backplane.task_store import TaskStore
from tandem.schemas.task import KeptResult, TaskRecord, TaskState

ANSWER = b'{"match_id": 42, "prediction": {"predicted_class": 0, "note": "a \\", \\"result\\": of its own"}}'
WAIT_SECONDS = 10
TASK_IDS = ["9b3d6a0e-6f2c-4e57-9c0f-1d2f3a4b5c6d", "x" * 250, 'odd "status": "SUCCESS", "result": é']


@pytest.fixture
def celery_app(given: Settings) -> Iterator[Celery]:
    """A client of Celery's own, which knows nothing of Tandem but the address of the store."""
    app = Celery("client", backend=given.redis_url, broker="memory://", set_as_current=False)
    yield app
    backend: Any = app.backend
    backend.result_consumer.stop()
    backend.client.close()
    app.close()


def run(attempts: TaskAttempts, task_id: str) -> Attempt:
    """Start a task."""
    [started] = attempts.start([Delivery(task_id)])
    assert isinstance(started, Attempt)
    return started


@pytest.mark.parametrize("task_id", TASK_IDS)
def test_celery_reads_a_success(
    client: redis.Redis, given: Settings, celery_app: Celery, task_id: str
) -> None:
    """State, answer and the time it was done."""
    attempts = TaskAttempts(client, given)
    assert attempts.finish([(run(attempts, task_id), ANSWER)]) == [True]
    result: AsyncResult[object] = AsyncResult(task_id, app=celery_app)
    assert result.get(timeout=WAIT_SECONDS) == json.loads(ANSWER)
    assert result.state == "SUCCESS"
    assert isinstance(result.date_done, datetime)
    assert abs((datetime.now(UTC) - result.date_done).total_seconds()) < 3600


def test_celery_raises_a_failure(client: redis.Redis, given: Settings, celery_app: Celery) -> None:
    """As the class it was, with what it was made with."""
    attempts = TaskAttempts(client, given)
    faults = [{"loc": ["features", "home_elo"], "msg": "is missing"}]
    attempts.finish([(run(attempts, "a"), ModelError("It raised."))])
    attempts.finish([(run(attempts, "b"), InvalidRequest(faults))])
    with pytest.raises(ModelError, match=r"It raised\."):
        AsyncResult("a", app=celery_app).get(timeout=WAIT_SECONDS)
    with pytest.raises(InvalidRequest) as caught:
        AsyncResult("b", app=celery_app).get(timeout=WAIT_SECONDS)
    assert caught.value.errors == faults
    assert AsyncResult("a", app=celery_app).state == "FAILURE"


def test_celery_raises_task_revoked(client: redis.Redis, given: Settings, celery_app: Celery) -> None:
    """Canceled, expired and given up, with the reason."""

    async def revoke() -> None:
        async with asynchronous_client(given.redis_url) as connected:
            tasks = TaskStore(connected, given)
            await tasks.accept("canceled", 60)
            await tasks.cancel("canceled")
            await tasks.abandon("given-up", 0)
            await tasks.accept("expired", 60)
            client.hset("tandem:task:expired", "x", 1)
            await tasks.read("expired")

    asyncio.run(revoke())
    reasons = {"canceled": "canceled", "given-up": "deadline", "expired": "expired"}
    for task_id, reason in reasons.items():
        with pytest.raises(TaskRevokedError, match=reason):
            AsyncResult(task_id, app=celery_app).get(timeout=WAIT_SECONDS)
        assert str(AsyncResult(task_id, app=celery_app).state) == "REVOKED"


def test_celery_hears_of_a_result_while_it_waits(
    client: redis.Redis, given: Settings, celery_app: Celery
) -> None:
    """What is published is what Celery's own backend publishes."""
    attempts = TaskAttempts(client, given)
    result: AsyncResult[object] = AsyncResult("later", app=celery_app)
    assert result.state == "PENDING"
    consumer = cast("Any", celery_app.backend).result_consumer
    consumer.start("later")
    consumer.consume_from("later")
    attempts.finish([(run(attempts, "later"), ANSWER)])
    consumer.drain_events(timeout=WAIT_SECONDS)
    assert result.get(timeout=WAIT_SECONDS) == json.loads(ANSWER)


@pytest.mark.parametrize("task_id", TASK_IDS)
def test_the_answer_is_cut_out_as_it_was_written(task_id: str) -> None:
    """Whatever stands in the answer or in the id."""
    meta = success_meta(task_id, ANSWER)
    assert json.loads(meta)["task_id"] == task_id
    assert succeeded(meta)
    assert result_json_of(meta) == ANSWER
    failed = failure_meta(task_id, ModelError('", "status": "SUCCESS", "result": {}'))
    assert json.loads(failed)["task_id"] == task_id
    assert not succeeded(failed)
    assert not succeeded(b"")


def test_a_result_that_a_reader_was_told_of_is_not_fetched_again(
    client: redis.Redis, given: Settings
) -> None:
    """The record is; so is the result where it is no success that the reader was told of."""
    attempts = TaskAttempts(client, given)

    async def read(document: bytes, task_id: str = "t", owner: str = "") -> TaskRecord:
        async with asynchronous_client(given.redis_url) as connected:
            return await TaskStore(connected, given).read(task_id, owner, document)

    attempts.finish([(run(attempts, "t"), ANSWER)])
    told = success_meta("t", b'"told"')
    assert asyncio.run(read(told)).result_json == b'"told"'
    for other in (b"", failure_meta("t", ModelError("It raised."))):
        assert asyncio.run(read(other)).result_json == ANSWER
    with pytest.raises(TaskNotFound):
        asyncio.run(read(told, owner="somebody else"))
    attempts.finish([(run(attempts, "f"), ModelError("It raised."))])
    failed = asyncio.run(read(told, "f"))
    assert (failed.state, failed.result_json) == (TaskState.FAILURE, None)


def test_the_problem_of_a_failure_and_of_a_revocation(client: redis.Redis, given: Settings) -> None:
    """A failure has its own, a revocation says why, and both are problem objects."""

    async def cancel() -> None:
        async with asynchronous_client(given.redis_url) as connected:
            await TaskStore(connected, given).accept("c", 60)
            await TaskStore(connected, given).cancel("c")

    assert problem_of_meta(failure_meta("f", ModelError("It raised.")))["type"] == "/problems/model-error"
    asyncio.run(cancel())
    document = client.get(META_PREFIX + "c")
    assert isinstance(document, bytes)
    problem = problem_of_meta(document)
    assert (problem["type"], problem["status"]) == ("/problems/task-revoked", 409)
    assert problem["detail"] == "canceled"


def test_a_kept_result_is_told_from_every_other() -> None:
    """Its one member alone makes it one; a model may answer with a member of that name beside others."""
    kept = KeptResult(key="results/x/0", bytes=9)
    written = json.loads(kept_json(kept))
    assert kept_of(kept_json(kept)) == kept
    assert kept_of(None) is None
    others: list[Any] = [
        None,
        1,
        [written],
        {},
        {"predictions": [], "errors": []},
        {**written, "match_id": 1},
    ]
    for other in others:
        assert kept_of(json.dumps(other).encode()) is None
