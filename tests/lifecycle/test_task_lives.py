"""Single moments in the life of a task: races, the last attempt, answers that were lost on the way."""

from __future__ import annotations

import asyncio
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tandem.backplane.attempt_scripts import FINISH
from tandem.backplane.errors import ModelError, ResultGone, StoreUnavailable, TaskNotFound
from tandem.backplane.result_format import result_json_of
from tandem.backplane.store import asynchronous_client, synchronous_client
from tandem.backplane.task_attempts import (
    REPLY_TTL_MS,
    TOGETHER,
    Attempt,
    Delivery,
    NotRun,
    TaskAttempts,
    _ending,
)
from tandem.backplane.task_scripts import gone_key, meta_key, record_key
from tandem.backplane.task_store import TaskStore
from tandem.schemas.task import TaskState

if TYPE_CHECKING:
    import redis

    from local.private_redis import PrivateRedis
    from tandem.backplane.settings import Settings

ANSWER = b'{"match_id": 42}'
ROUNDS = 40


def begin(worker: TaskAttempts, delivery: Delivery) -> Attempt:
    """Start a task that is to be started."""
    [started] = worker.start([delivery])
    assert isinstance(started, Attempt)
    return started


def test_given_up_while_running_it_is_kept(
    client: redis.Redis, worker: TaskAttempts, store: TaskStore, runner: asyncio.Runner
) -> None:
    """The caller was given the id with its 504, so the result stays for as long as any."""
    attempt = begin(worker, Delivery("t", accepted=False, reply_to="channel"))
    assert runner.run(store.abandon("t", 1)) == b""
    assert runner.run(store.read("t")).state is TaskState.STARTED
    assert worker.finish([(attempt, ANSWER)]) == [True]
    assert runner.run(store.read("t")).result == json.loads(ANSWER)
    assert client.pttl(record_key("t")) > REPLY_TTL_MS
    assert client.pttl(gone_key("t")) > client.pttl(record_key("t"))


def test_given_up_in_the_moment_it_ended_the_answer_comes_back(
    client: redis.Redis, worker: TaskAttempts, store: TaskStore, runner: asyncio.Runner
) -> None:
    """No 504 for what is there; and it is kept from then on."""
    attempt = begin(worker, Delivery("t", accepted=False))
    worker.finish([(attempt, ANSWER)])
    assert client.pttl(record_key("t")) <= REPLY_TTL_MS
    assert result_json_of(runner.run(store.abandon("t", 1))) == ANSWER
    assert client.pttl(record_key("t")) > REPLY_TTL_MS
    assert client.pttl(meta_key("t")) > REPLY_TTL_MS


def test_given_up_before_the_start_it_never_starts(
    worker: TaskAttempts, store: TaskStore, runner: asyncio.Runner
) -> None:
    """Whether or not anything was known of it."""
    assert runner.run(store.abandon("t", 1)) == b""
    [outcome] = worker.start([Delivery("t", accepted=False)])
    assert isinstance(outcome, NotRun)
    assert outcome.reason == "done"
    record = runner.run(store.read("t"))
    assert (record.state, record.attempts) == (TaskState.REVOKED, 0)
    assert (record.error or {})["reason"] == "deadline"


def test_a_race_of_giving_up_and_finishing_has_one_end(
    worker: TaskAttempts, store: TaskStore, runner: asyncio.Runner, given: Settings
) -> None:
    """Either the caller has the answer at once, or it finds it at the status URL."""

    async def give_up(task_id: str) -> bytes:
        async with asynchronous_client(given.redis_url) as connected:
            return await TaskStore(connected, given).abandon(task_id, 1)

    with ThreadPoolExecutor(2) as threads:
        for number in range(ROUNDS):
            task_id = f"t{number}"
            attempt = begin(worker, Delivery(task_id, accepted=False))
            at_once = threading.Barrier(2)

            def finish(attempt: Attempt = attempt, at_once: threading.Barrier = at_once) -> list[bool]:
                at_once.wait(10)
                return worker.finish([(attempt, ANSWER)])

            def abandon(task_id: str = task_id, at_once: threading.Barrier = at_once) -> bytes:
                at_once.wait(10)
                return asyncio.run(give_up(task_id))

            finished, given_up = threads.submit(finish), threads.submit(abandon)
            assert finished.result(10) == [True]
            assert given_up.result(10) == b"" or result_json_of(given_up.result(10)) == ANSWER
            assert runner.run(store.read(task_id)).result == json.loads(ANSWER)


def test_a_race_of_giving_up_and_starting_has_one_outcome(
    worker: TaskAttempts, store: TaskStore, runner: asyncio.Runner, given: Settings
) -> None:
    """Either it runs, or it is revoked; never both, never neither."""

    async def give_up(task_id: str) -> bytes:
        async with asynchronous_client(given.redis_url) as connected:
            return await TaskStore(connected, given).abandon(task_id, 1)

    with ThreadPoolExecutor(1) as threads:
        for number in range(ROUNDS):
            given_up = threads.submit(asyncio.run, give_up(f"t{number}"))
            [outcome] = worker.start([Delivery(f"t{number}", accepted=False)])
            assert given_up.result(10) == b""
            state = runner.run(store.read(f"t{number}")).state
            assert state is (TaskState.STARTED if isinstance(outcome, Attempt) else TaskState.REVOKED)


def test_the_last_attempt_is_the_last(
    worker: TaskAttempts, store: TaskStore, runner: asyncio.Runner, given: Settings
) -> None:
    """A delivery over the number is not run, fences the attempts before it, and is failed by its worker."""
    runner.run(store.accept("t", 60))
    attempts = [begin(worker, Delivery("t")) for _ in range(given.max_attempts)]
    [outcome] = worker.start([Delivery("t")])
    assert isinstance(outcome, NotRun)
    assert outcome.reason == "spent"
    assert worker.finish([(attempts[-1], ANSWER)]) == [False]
    assert worker.fail(Delivery("t"), ModelError("It ended its worker each time."))
    assert runner.run(store.read("t")).state is TaskState.FAILURE
    assert not worker.fail(Delivery("t"), ModelError("again"))


def test_progress_is_that_of_the_attempt_that_counts(
    worker: TaskAttempts, store: TaskStore, runner: asyncio.Runner
) -> None:
    """A stale attempt does not set it back, and a success is complete."""
    runner.run(store.accept("t", 60, total=10))
    stale = begin(worker, Delivery("t"))
    assert worker.progress(stale, 9, 10)
    current = begin(worker, Delivery("t"))
    assert worker.progress(current, 4, 10)
    assert not worker.progress(stale, 10, 10)
    record = runner.run(store.read("t"))
    assert (record.done, record.total) == (4, 10)
    assert worker.finish([(current, ANSWER)]) == [True]
    record = runner.run(store.read("t"))
    assert (record.done, record.total) == (10, 10)
    assert not worker.progress(current, 5, 10)


def test_an_attempt_that_gave_the_task_back_has_no_say_any_more(
    worker: TaskAttempts, store: TaskStore, runner: asyncio.Runner
) -> None:
    """Nor has one of before a replay."""
    runner.run(store.accept("t", 60))
    attempt = begin(worker, Delivery("t"))
    worker.give_back([attempt])
    assert runner.run(store.read("t")).state is TaskState.RETRY
    assert worker.finish([(attempt, ANSWER)]) == [False]
    assert not worker.progress(attempt, 1, 1)
    late = begin(worker, Delivery("t"))
    worker.fail(Delivery("t"), ModelError("dead letter"))
    assert worker.reopen("t")
    assert worker.finish([(late, ANSWER)]) == [False]
    assert begin(worker, Delivery("t")).number == late.number + 1


def test_an_end_that_is_sent_twice_is_one_end(
    client: redis.Redis, worker: TaskAttempts, store: TaskStore, runner: asyncio.Runner
) -> None:
    """Where the first answer of the store was lost, the second says the same, and nothing is published."""
    attempt = begin(worker, Delivery("t", accepted=False, reply_to="channel"))
    ending, lives = _ending(attempt, ANSWER), (*worker._ttls, REPLY_TTL_MS)
    with client.pubsub() as heard:  # type: ignore[no-untyped-call]
        heard.subscribe("channel")
        for _ in range(2):
            assert worker._run(FINISH, [("t", ending)], lives) == [1]
        client.publish("channel", "end")
        messages = list(iter(lambda: heard.get_message(timeout=10)["data"], b"end"))
    assert messages == [1, client.get(meta_key("t"))]  # the subscription, and the document once
    other = _ending(attempt, b'{"match_id": 43}')
    assert worker._run(FINISH, [("t", other)], lives) == [0]
    assert runner.run(store.read("t")).result == json.loads(ANSWER)


def test_scripts_that_the_server_has_forgotten_are_loaded_again(
    client: redis.Redis, worker: TaskAttempts, store: TaskStore, runner: asyncio.Runner
) -> None:
    """A restarted Redis knows none; nothing is lost and nothing done twice."""
    client.script_flush()
    assert runner.run(store.accept("t", 60))
    client.script_flush()
    outcomes = worker.start([Delivery("t"), Delivery("u"), Delivery("v", accepted=False)])
    assert [outcome.number for outcome in outcomes if isinstance(outcome, Attempt)] == [1, 1, 1]
    client.script_flush()
    assert worker.finish([(one, ANSWER) for one in outcomes if isinstance(one, Attempt)]) == [True] * 3


def test_many_tasks_start_and_end_in_their_order(
    client: redis.Redis, worker: TaskAttempts, store: TaskStore, runner: asyncio.Runner
) -> None:
    """More than go in one call, each with its own reply."""
    ids = [f"t{number}" for number in range(2 * TOGETHER + 2)]
    runner.run(store.accept(ids[1], 60))
    runner.run(store.cancel(ids[1]))
    begin(worker, Delivery(ids[2]))
    outcomes = worker.start([Delivery(task_id) for task_id in ids])
    assert [outcome.delivery.task_id for outcome in outcomes] == ids
    assert isinstance(outcomes[1], NotRun)
    started = [outcome for outcome in outcomes if isinstance(outcome, Attempt)]
    assert [attempt.number for attempt in started] == [1, 2, *[1] * (len(ids) - 3)]
    runner.run(store.cancel(ids[-1]))
    ended = worker.finish([(attempt, json.dumps(attempt.delivery.task_id).encode()) for attempt in started])
    assert ended == [True] * (len(started) - 1) + [False]
    for task_id in (ids[0], ids[2], ids[-2]):
        assert runner.run(store.read(task_id)).result == task_id


def test_a_record_that_is_none_does_not_keep_its_neighbours_from_ending(
    client: redis.Redis, worker: TaskAttempts, store: TaskStore, runner: asyncio.Runner
) -> None:
    """Somebody has written something else there: that is said, and the others have ended."""
    attempts = [begin(worker, Delivery(task_id)) for task_id in "abc"]
    client.delete(record_key("b"))
    client.set(record_key("b"), "no hash")
    with pytest.raises(StoreUnavailable, match="refused"):
        worker.finish([(attempt, ANSWER) for attempt in attempts])
    assert [runner.run(store.read(task_id)).state for task_id in "ac"] == [TaskState.SUCCESS] * 2


def test_a_result_that_a_celery_client_threw_away_is_gone(
    client: redis.Redis, worker: TaskAttempts, store: TaskStore, runner: asyncio.Runner
) -> None:
    """No SUCCESS without a result."""
    worker.finish([(begin(worker, Delivery("t")), ANSWER)])
    client.delete(meta_key("t"))
    with pytest.raises(ResultGone):
        runner.run(store.read("t"))


def test_first_gone_then_forgotten(
    client: redis.Redis, worker: TaskAttempts, store: TaskStore, runner: asyncio.Runner
) -> None:
    """410 while it is known that the task has been, 404 after; a late delivery does not bring it back."""
    runner.run(store.accept("t", 60))
    worker.finish([(begin(worker, Delivery("t")), ANSWER)])
    client.delete(record_key("t"), meta_key("t"))
    with pytest.raises(ResultGone):
        runner.run(store.read("t"))
    with pytest.raises(ResultGone):
        runner.run(store.cancel("t"))
    assert not runner.run(store.accept("t", 60))
    [outcome] = worker.start([Delivery("t")])
    assert isinstance(outcome, NotRun)
    client.delete(gone_key("t"))
    with pytest.raises(TaskNotFound):
        runner.run(store.read("t"))


def test_documents_of_many_tasks_come_in_order(
    worker: TaskAttempts, store: TaskStore, runner: asyncio.Runner
) -> None:
    """None for each that has not ended."""
    worker.finish([(begin(worker, Delivery("b")), ANSWER)])
    first, second, third = runner.run(store.metas(["a", "b", "c"]))
    assert (first, third) == (None, None)
    assert second is not None
    assert result_json_of(second) == ANSWER


def test_a_store_that_is_full_says_no(
    client: redis.Redis, worker: TaskAttempts, store: TaskStore, runner: asyncio.Runner
) -> None:
    """Nothing is accepted and nothing evicted; what was there can still be read."""
    runner.run(store.accept("before", 60))
    limit = str(client.config_get("maxmemory")["maxmemory"])
    client.config_set("maxmemory", "1")
    try:
        with pytest.raises(StoreUnavailable):
            runner.run(store.accept("t", 60))
        with pytest.raises(StoreUnavailable):
            worker.start([Delivery("before")])
        assert client.exists(record_key("before")) == 1
    finally:
        client.config_set("maxmemory", limit)
    assert runner.run(store.read("before")).state is TaskState.PENDING
    assert runner.run(store.accept("t", 60))


def test_a_store_that_is_away_is_said_so(given: Settings, runner: asyncio.Runner) -> None:
    """By either side, and both go on when it is back."""
    nowhere = given.model_copy(update={"redis_url": "redis://127.0.0.1:1/0"})
    with synchronous_client(nowhere.redis_url) as client, pytest.raises(StoreUnavailable):
        TaskAttempts(client, nowhere).start([Delivery("t")])

    async def ask() -> None:
        async with asynchronous_client(nowhere.redis_url) as connected:
            await TaskStore(connected, nowhere).read("t")

    with pytest.raises(StoreUnavailable):
        runner.run(ask())


def test_a_store_that_hangs_is_asked_once(
    client: redis.Redis, store: TaskStore, runner: asyncio.Runner, redis_server: PrivateRedis
) -> None:
    """A second try at the same hanging server would only take the caller's time as well."""
    runner.run(store.accept("warm", 60))
    connections = int(client.info("stats")["total_connections_received"])
    redis_server.pause()
    try:
        with pytest.raises(StoreUnavailable, match="TimeoutError"):
            runner.run(store.accept("t", 60))
    finally:
        redis_server.resume()
    assert int(client.info("stats")["total_connections_received"]) == connections
    assert runner.run(store.read("warm")).state is TaskState.PENDING


def test_a_task_that_is_opened_again_is_still_its_callers(
    client: redis.Redis, worker: TaskAttempts, store: TaskStore, runner: asyncio.Runner
) -> None:
    """Also where its record is gone by then: what outlives it knows whose it was."""
    runner.run(store.accept("t", 60, owner="alice"))
    worker.fail(Delivery("t"), ModelError("dead letter"))
    client.delete(record_key("t"), meta_key("t"))
    with pytest.raises(ResultGone):
        runner.run(store.read("t", "alice"))
    with pytest.raises(TaskNotFound):
        runner.run(store.read("t", "bob"))
    assert worker.reopen("t")
    assert runner.run(store.read("t", "alice")).state is TaskState.PENDING
    for other in ("bob", ""):
        with pytest.raises(TaskNotFound):
            runner.run(store.cancel("t", other))


def test_delivered_again_after_its_answer_was_forgotten_it_leaves_no_trace(
    client: redis.Redis, worker: TaskAttempts
) -> None:
    """Of a caller that only waited: it may have had its answer, and no second end is written."""
    [outcome] = worker.start([Delivery("t", submitted_ms=1, deadline_ms=2, accepted=False)])
    assert isinstance(outcome, NotRun)
    assert outcome.reason == "done"
    assert client.keys("*") == []
