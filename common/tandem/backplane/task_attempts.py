"""The life of tasks, as a worker sees it: start an attempt, finish it, give it back.

Several tasks go in one call, so that a micro-batch costs two round trips and not two a task.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import redis
from redis.exceptions import NoScriptError

from tandem.backplane import attempt_scripts as scripts
from tandem.backplane.errors import StoreUnavailable, TandemError, problem_of
from tandem.backplane.result_format import failure_meta, success_meta
from tandem.backplane.settings import Settings
from tandem.backplane.store import store_errors
from tandem.backplane.task_scripts import Script, keys_of
from tandem.schemas.task import TaskState

TOGETHER = 64
"""Tasks of one call: while a script runs, nobody else is served."""
REPLY_TTL_MS = 60_000
"""How long an answer stays for a caller that only waits: long enough to fetch it after a lost reply."""


@dataclass(frozen=True)
class Delivery:
    """One message as the lifecycle needs it."""

    task_id: str
    submitted_ms: int = 0
    deadline_ms: int = 0
    """When the waiting caller gives up; 0: nobody waits."""
    accepted: bool = True
    """Whether somebody was given the id; False for a caller that only waits for the answer."""
    reply_to: str = ""


@dataclass(frozen=True)
class Attempt:
    """The right to run a task: the number is the fencing token."""

    delivery: Delivery
    number: int


@dataclass(frozen=True)
class NotRun:
    """Why a delivery is not run: `done` (ended, canceled, expired), or its attempts are `spent`."""

    delivery: Delivery
    reason: Literal["done", "spent"]


class TaskAttempts:
    """Starts and ends attempts. Every method raises StoreUnavailable when Redis does not answer."""

    def __init__(self, client: redis.Redis, settings: Settings) -> None:
        self._client = client
        self._settings = settings
        self._ttls = (settings.result_ttl_seconds * 1000, settings.gone_ttl_seconds * 1000)

    def start(self, deliveries: Sequence[Delivery], mark: str = "") -> list[Attempt | NotRun]:
        """Take each task over, in order; a higher attempt number fences whoever held it before.

        With the same `mark` once more, as after a lost connection, it is the same start.
        """
        expires_ms = self._settings.default_expires_seconds * 1000
        shared = (expires_ms, *self._ttls, self._settings.max_attempts, mark)
        calls = [
            (delivery.task_id, (delivery.submitted_ms, delivery.deadline_ms, int(delivery.accepted)))
            for delivery in deliveries
        ]
        outcomes: list[Attempt | NotRun] = []
        replies = self._run(scripts.START, calls, shared)
        for delivery, (word, number) in zip(deliveries, replies, strict=True):
            if word == b"run":
                outcomes.append(Attempt(delivery, int(number)))
            else:
                outcomes.append(NotRun(delivery, "spent" if word == b"spent" else "done"))
        return outcomes

    def finish(self, ended: Sequence[tuple[Attempt, bytes | TandemError]]) -> list[bool]:
        """Store each answer (JSON bytes) or error and reply; False where a later attempt has taken over."""
        calls = [(attempt.delivery.task_id, _ending(attempt, outcome)) for attempt, outcome in ended]
        return [bool(reply) for reply in self._run(scripts.FINISH, calls, (*self._ttls, REPLY_TTL_MS))]

    def fail(self, delivery: Delivery, error: TandemError) -> bool:
        """End a task that no attempt holds (poison, undecodable, dead-lettered); False if it has ended."""
        [ended] = self.finish([(Attempt(delivery, 0), error)])
        return ended

    def give_back(self, attempts: Sequence[Attempt]) -> list[bool]:
        """Mark tasks as waiting for their next attempt; False where a later one has taken over."""
        calls = [(attempt.delivery.task_id, (attempt.number,)) for attempt in attempts]
        return [bool(reply) for reply in self._run(scripts.RETRY, calls)]

    def progress(self, attempt: Attempt, done: int, total: int) -> bool:
        """Say how many rows of a batch are done; False where this attempt no longer counts."""
        [reply] = self._run(scripts.PROGRESS, [(attempt.delivery.task_id, (attempt.number, done, total))])
        return bool(reply)

    def reopen(self, task_id: str) -> bool:
        """Make a failed task wait again, for the replay of its dead letter; False where it did not fail.

        True again while the task so opened has not been started.
        """
        expires_ms = self._settings.default_expires_seconds * 1000
        [reply] = self._run(scripts.REOPEN, [(task_id, ())], (expires_ms, *self._ttls))
        return bool(reply)

    def _run(
        self, script: Script, calls: Sequence[tuple[str, tuple[Any, ...]]], shared: tuple[Any, ...] = ()
    ) -> list[Any]:
        """The reply to each call, a task's id and its own arguments, in order."""
        replies: list[Any] = []
        for at in range(0, len(calls), TOGETHER):
            some = calls[at : at + TOGETHER]
            keys = [key for task_id, _ in some for key in keys_of(task_id)]
            arguments = (*shared, *(argument for _, own in some for argument in own))
            replies += self._call(script, keys, arguments)
        for reply in replies:
            if isinstance(reply, Exception):
                raise StoreUnavailable(f"The store refused ({type(reply).__name__}).") from reply
        return replies

    def _call(self, script: Script, keys: Sequence[str], arguments: Iterable[Any]) -> Any:
        with store_errors():
            try:
                return self._client.evalsha(script.sha, len(keys), *keys, *arguments)
            except NoScriptError:
                return self._client.eval(script.text, len(keys), *keys, *arguments)


def _ending(attempt: Attempt, outcome: bytes | TandemError) -> tuple[Any, ...]:
    delivery = attempt.delivery
    if isinstance(outcome, TandemError):
        state, meta = TaskState.FAILURE, failure_meta(delivery.task_id, outcome)
        problem = json.dumps(problem_of(outcome))
    else:
        state, meta, problem = TaskState.SUCCESS, success_meta(delivery.task_id, outcome), ""
    return (attempt.number, state.value, meta, problem, delivery.reply_to)
