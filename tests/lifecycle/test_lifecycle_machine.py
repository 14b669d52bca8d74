"""The life of tasks in any order of events: the scripts in a real Redis, held against what is promised."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tandem.backplane.errors import ModelError, ResultGone, TaskNotFound
from tandem.backplane.result_format import result_json_of, succeeded
from tandem.backplane.settings import Settings
from tandem.backplane.store import asynchronous_client, synchronous_client
from tandem.backplane.task_attempts import Attempt, Delivery, NotRun, TaskAttempts
from tandem.backplane.task_scripts import keys_of, meta_key, record_key
from tandem.backplane.task_store import TaskStore
from tests.lifecycle import expected_life as expected
from tests.lifecycle.expected_life import TERMINAL, ExpectedLife, Start
from tests.lifecycle.moved_clock import let_time_pass

if TYPE_CHECKING:
    import redis

    from local.private_redis import PrivateRedis

SECOND = 1000
# All far enough from one another that the seconds a test takes make no difference.
EXPIRES_SECONDS = [60, 7200]
PASSING_SECONDS = [1, 2, 3, 40, 100, 1800, 7800, 2 * 86_400]
DEADLINE_SECONDS = [60, 1000]
MOST_TASKS = 2
CALLERS = ["", "alice", "bob"]


class Lives(RuleBasedStateMachine):
    """Several tasks, whose messages, attempts and callers outlive one another in every way."""

    tasks: Bundle[str] = Bundle("tasks")
    attempts: Bundle[Attempt] = Bundle("attempts")

    def __init__(
        self, client: redis.Redis, runner: asyncio.Runner, store: TaskStore, given: Settings
    ) -> None:
        super().__init__()
        self.client, self.runner, self.store = client, runner, store
        self.worker = TaskAttempts(client, given)
        self.now = 0
        self.lives: dict[str, ExpectedLife] = {}
        self.deliveries: dict[str, Delivery] = {}
        self.callers: dict[str, str] = {}
        self.runs: dict[str, int] = {}
        self.ended: dict[str, bytes] = {}
        self.counted = 0
        self.started = 0
        client.flushdb()

    # Where tasks come from: each has a message, which can be delivered any number of times, at any time

    @precondition(lambda self: len(self.deliveries) < MOST_TASKS)
    @rule(target=tasks, expires=st.sampled_from(EXPIRES_SECONDS), caller=st.sampled_from(CALLERS))
    def accept(self, expires: int, caller: str) -> str:
        """A task is accepted, whether or not its message reaches the broker."""
        task_id = self._appear(accepted=True, caller=caller)
        assert self.runner.run(self.store.accept(task_id, expires, owner=caller))
        assert self.lives[task_id].accept(self.now, expires * SECOND, caller)
        return task_id

    @precondition(lambda self: len(self.deliveries) < MOST_TASKS)
    @rule(target=tasks, deadline=st.sampled_from(DEADLINE_SECONDS), caller=st.sampled_from(CALLERS))
    def ask_and_wait(self, deadline: int, caller: str) -> str:
        """A caller waits for the answer; nobody was given the id."""
        return self._appear(accepted=False, deadline=self.now + deadline * SECOND, caller=caller)

    @precondition(lambda self: len(self.deliveries) < MOST_TASKS)
    @rule(target=tasks)
    def send_unannounced(self) -> str:
        """A Celery client of somebody's own sends a task that the store knows nothing of."""
        return self._appear(accepted=True)

    def _appear(self, *, accepted: bool, deadline: int = 0, caller: str = "") -> str:
        task_id = str(uuid.uuid4())
        self.callers[task_id] = caller
        self.lives[task_id] = ExpectedLife()
        reply_to = "" if accepted else "tandem:replies:test"
        self.deliveries[task_id] = Delivery(
            task_id, deadline_ms=deadline, accepted=accepted, reply_to=reply_to
        )
        return task_id

    @rule(task_id=tasks, expires=st.sampled_from(EXPIRES_SECONDS))
    def accept_again(self, task_id: str, expires: int) -> None:
        """The same id once more, as after a doubtful answer."""
        caller = self.callers[task_id]
        promised = self.lives[task_id].accept(self.now, expires * SECOND, caller)
        assert self.runner.run(self.store.accept(task_id, expires, owner=caller)) is promised

    @rule(task_id=tasks)
    def forget(self, task_id: str) -> None:
        """The broker refused the message."""
        self.lives[task_id].forget(self.now)
        self.runner.run(self.store.forget(task_id))

    # What workers do; a worker that dies is an attempt that never comes up again

    @rule(target=attempts, task_id=tasks)
    def deliver(self, task_id: str) -> Any:
        """The broker delivers a message: first, again, or long after the end."""
        planned = self.deliveries[task_id]
        deadline = planned.deadline_ms
        promised, number = self.lives[task_id].start(self.now, accepted=planned.accepted, deadline=deadline)
        real_deadline = int(time.time() * SECOND) + deadline - self.now if deadline else 0
        delivery = replace(planned, submitted_ms=1, deadline_ms=real_deadline)
        self.started += 1
        [outcome] = self.worker.start([delivery], mark=f"call {self.started}")
        if isinstance(outcome, NotRun):
            assert outcome.reason == promised.value
            return multiple()
        assert (promised, number) == (Start.RUN, outcome.number)
        self.runs[task_id] = self.runs.get(task_id, 0) + 1
        # The same call once more, its answer having been lost, is no further attempt.
        assert self.worker.start([delivery], mark=f"call {self.started}") == [outcome]
        return outcome

    @rule(target=attempts, task_id=tasks)
    def deliver_again(self, task_id: str) -> Any:
        """Once more, so that it happens often."""
        return self.deliver(task_id)

    @rule(attempt=attempts, well=st.booleans())
    def finish(self, attempt: Attempt, well: bool) -> None:  # noqa: FBT001
        """An attempt comes to its end, however late."""
        self.counted += 1
        answer = json.dumps({"answer": self.counted}).encode()
        outcome = answer if well else ModelError(f"failure {self.counted}")
        document = answer if well else f"failure {self.counted}".encode()
        state = "SUCCESS" if well else "FAILURE"
        life = self.lives[attempt.delivery.task_id]
        promised = life.finish(self.now, attempt.number, state, document)
        assert self.worker.finish([(attempt, outcome)]) == [promised]

    @rule(task_id=tasks)
    def fail(self, task_id: str) -> None:
        """The recorder of dead letters, or the guard at the worker's door."""
        self.counted += 1
        detail = f"dead letter {self.counted}"
        promised = self.lives[task_id].fail(self.now, detail.encode())
        assert self.worker.fail(self.deliveries[task_id], ModelError(detail)) is promised

    @rule(attempt=attempts)
    def give_back(self, attempt: Attempt) -> None:
        """An attempt cannot go on and says so."""
        life = self.lives[attempt.delivery.task_id]
        if life.counts(self.now, attempt.number):
            self.runs[attempt.delivery.task_id] -= 1
        promised = life.give_back(self.now, attempt.number)
        assert self.worker.give_back([attempt]) == [promised]

    @rule(attempt=attempts, done=st.integers(0, 10))
    def progress(self, attempt: Attempt, done: int) -> None:
        """An attempt says how far it is."""
        promised = self.lives[attempt.delivery.task_id].counts(self.now, attempt.number)
        assert self.worker.progress(attempt, done, 10) is promised
        if promised:
            fields = self.client.hmget(record_key(attempt.delivery.task_id), ["d", "t"])
            assert fields == [str(done).encode(), b"10"]

    # What callers do

    @rule(task_id=tasks, caller=st.sampled_from(CALLERS))
    def cancel(self, task_id: str, caller: str) -> None:
        """Somebody does not want it any more; only whose it is can say so."""
        life = self.lives[task_id]
        life.at(self.now)
        if self._is_hidden_from(caller, life):
            with pytest.raises(TaskNotFound):
                self.runner.run(self.store.cancel(task_id, caller))
            return
        promised = life.cancel(self.now)
        if life.record is None:
            with pytest.raises(ResultGone):
                self.runner.run(self.store.cancel(task_id, caller))
            return
        assert self.runner.run(self.store.cancel(task_id, caller)) is promised

    def _is_hidden_from(self, caller: str, life: ExpectedLife) -> bool:
        """Whether it is another's, or never was, which that caller cannot tell."""
        unknown = life.record is None and not life.is_gone(self.now)
        return unknown or not life.is_of(self.now, caller)

    @rule(task_id=tasks)
    def abandon(self, task_id: str) -> None:
        """A waiting caller's deadline passes: from now on it has the id."""
        caller = self.callers[task_id]
        ended = self.lives[task_id].abandon(self.now, caller)
        document = self.runner.run(self.store.abandon(task_id, 1, caller))
        assert document == (self.client.get(meta_key(task_id)) if ended else b"")

    @rule(task_id=tasks, caller=st.sampled_from(CALLERS))
    def read(self, task_id: str, caller: str) -> None:
        """Somebody looks; only whose it is gets to see anything."""
        life = self.lives[task_id]
        record = life.at(self.now)
        if self._is_hidden_from(caller, life):
            with pytest.raises(TaskNotFound):
                self.runner.run(self.store.read(task_id, caller))
            return
        if record is None:
            with pytest.raises(ResultGone):
                self.runner.run(self.store.read(task_id, caller))
            return
        found = self.runner.run(self.store.read(task_id, caller))
        assert (found.state.value, found.attempts) == (record.state, record.attempts)
        assert found.result == (json.loads(record.document) if record.state == "SUCCESS" else None)
        assert (found.error or {}).get("reason", "") == record.reason
        if record.state == "FAILURE":
            assert (found.error or {})["detail"] == record.document.decode()

    @rule(task_id=tasks)
    def reopen(self, task_id: str) -> None:
        """Somebody replays a dead letter: the one way out of an end."""
        promised = self.lives[task_id].reopen(self.now)
        assert self.worker.reopen(task_id) is promised
        if promised:
            self._begin_anew(task_id)

    @rule(seconds=st.sampled_from(PASSING_SECONDS))
    def pass_time(self, seconds: int) -> None:
        """Time passes, and with it whatever lives no longer than that."""
        self.now += seconds * SECOND
        let_time_pass(self.client, seconds * SECOND)
        for task_id, life in self.lives.items():
            life.forget_what_is_over(self.now)
            if life.record is None and not life.is_gone(self.now):
                # Nothing is known of it any more: a message that is still about makes it a new task.
                self._begin_anew(task_id)

    def _begin_anew(self, task_id: str) -> None:
        self.ended.pop(task_id, None)
        self.runs.pop(task_id, None)

    # What holds at any time

    @invariant()
    def every_key_has_an_end(self) -> None:
        """Nothing is kept for ever."""
        pipeline = self.client.pipeline(transaction=False)
        for key in itertools.chain.from_iterable(keys_of(task_id) for task_id in self.lives):
            pipeline.pttl(key)
        assert -1 not in pipeline.execute()  # as Redis says of a key without

    @invariant()
    def an_end_is_an_end(self) -> None:
        """One terminal transition, never left, of which Celery's document says the same as the record."""
        pipeline = self.client.pipeline(transaction=False)
        for task_id in self.lives:
            pipeline.hgetall(record_key(task_id))
            pipeline.get(meta_key(task_id))
        found: list[Any] = pipeline.execute()
        for task_id, fields, document in zip(self.lives, found[::2], found[1::2], strict=True):
            self._check(task_id, fields, document)

    def _check(self, task_id: str, fields: dict[bytes, bytes], document: bytes | None) -> None:
        record = self.lives[task_id].record
        state = fields.get(b"s", b"").decode()
        assert state == (record.state if record is not None else "")
        assert (document is not None) is (state in TERMINAL)
        if document is None or record is None:
            return
        assert self.ended.setdefault(task_id, document) == document
        meta = json.loads(document)
        assert (meta["task_id"], meta["status"]) == (task_id, state)
        assert succeeded(document) is (state == "SUCCESS")
        if state == "SUCCESS":
            assert result_json_of(document) == record.document
        if state == "REVOKED":
            assert meta["result"]["exc_message"] == [record.reason] != [""]
        if state == "FAILURE":
            assert json.loads(fields[b"e"]) == meta["problem"]

    @invariant()
    def attempts_are_bounded(self) -> None:
        """However often a message is delivered."""
        assert all(runs <= expected.MAX_ATTEMPTS for runs in self.runs.values())


def test_no_order_of_events_breaks_a_promise(redis_server: PrivateRedis) -> None:
    """One end per task, none without its reason, nothing written by the stale, nothing kept for ever."""
    given = Settings(
        redis_url=redis_server.url.removesuffix("/0") + "/4",
        result_ttl_seconds=expected.RESULT_TTL_MS // SECOND,
        gone_ttl_seconds=expected.GONE_TTL_MS // SECOND,
        default_expires_seconds=expected.DEFAULT_EXPIRES_MS // SECOND,
        max_attempts=expected.MAX_ATTEMPTS,
    )
    asynchronous = asynchronous_client(given.redis_url)
    with synchronous_client(given.redis_url) as client, asyncio.Runner() as runner:
        store = TaskStore(asynchronous, given)
        try:
            run_state_machine_as_test(
                cast("Any", lambda: Lives(client, runner, store, given)),
                settings=settings(
                    max_examples=120,
                    stateful_step_count=50,
                    deadline=None,
                    # Shrinking takes minutes; for a shorter story of a failure, take this line out.
                    phases=[Phase.explicit, Phase.reuse, Phase.generate],
                    suppress_health_check=[HealthCheck.too_slow],
                ),
            )
        finally:
            runner.run(asynchronous.aclose())
