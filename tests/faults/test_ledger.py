"""The ledger names what is wrong, since the fault suite believes it."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
import redis

from local.private_redis import PrivateRedis
from tandem.backplane.task_scripts import meta_key, record_key
from tests.faults.effects import effects
from tests.faults.ledger import Accepted, Call, Ledger, broken_invariants

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def sound() -> Ledger:
    """Two tasks, one of which ran twice, in which nothing is wrong."""
    now = time.time()
    ledger = Ledger(submitted=3, fault_ended_at=now)
    ledger.accepted = {
        "a": Accepted(1, now - 1, "SUCCESS", now + 1, 1),
        "b": Accepted(2, now - 1, "FAILURE", now + 2),
    }
    ledger.calls = [Call("submit", 202, 0.1), Call("submit", 202, 0.1), Call("submit", 503, 4.0)]
    ledger.dead_letters = frozenset({"b"})
    ledger.executions = Counter({1: 2, 2: 1})
    ledger.endings = ledger.stored = Counter({"a": 1, "b": 1})
    return ledger


def test_every_accepted_task_is_counted_once() -> None:
    """By how it ended; an execution more is told and is no fault."""
    figures = sound().figures()
    assert (figures.submitted, figures.accepted, figures.done, figures.dead) == (3, 2, 1, 1)
    assert (figures.failed, figures.revoked, figures.queued, figures.lost) == (0, 0, 0, 0)
    assert (figures.ran_twice, figures.effects_twice, figures.refused) == (1, 0, 1)
    assert figures.recovery == pytest.approx(2, abs=0.01)
    assert broken_invariants(sound()) == []


def _lose(ledger: Ledger) -> None:
    ledger.accepted["a"].state = "404"


def _leave(ledger: Ledger) -> None:
    ledger.accepted["a"].state = "STARTED"


def _late(ledger: Ledger) -> None:
    ledger.accepted["a"].finished_at = ledger.fault_ended_at + 121


def _twice(ledger: Ledger) -> None:
    ledger.stored = Counter({"a": 2, "b": 1})


def _answer_of_another(ledger: Ledger) -> None:
    ledger.accepted["a"].answer = 7


def _call(**given: Any) -> Callable[[Ledger], None]:
    values = {"kind": "submit", "status": 503, "seconds": 1.0, **given}
    return lambda ledger: ledger.calls.append(Call(**values))


FAULTS: dict[str, Callable[[Ledger], None]] = {
    "lost is 1": _lose,
    "1 never": _leave,
    "the slowest after 121 s": _late,
    "1 tasks had their effect twice": _twice,
    "1 answers belong to another task": _answer_of_another,
    "1 calls had no answer": _call(status=0),
    "1 calls took over 30 s": _call(status=504, seconds=31.0),
    "1 refusals took over 5 s": _call(seconds=6.0),
    "1 refusals had no Retry-After": _call(retry_after=False),
    "1 answers were an undocumented 5xx": _call(status=500),
    "1 good requests were refused as bad": _call(status=404),
}


@pytest.mark.parametrize("words", FAULTS)
def test_what_is_wrong_is_named(words: str) -> None:
    """One thing wrong, one sentence that says it."""
    ledger = sound()
    FAULTS[words](ledger)
    assert any(words in sentence for sentence in broken_invariants(ledger))


def test_a_second_effect_is_seen_although_the_store_was_killed_between_the_two(tmp_path: Path) -> None:
    """The append-only file has both endings and both results, also where the second says the same."""
    with PrivateRedis(tmp_path) as server:
        for _ in range(2):
            with redis.Redis.from_url(server.url) as client:
                client.hset(record_key("a"), mapping={"s": "SUCCESS", "f": 1})
                client.set(meta_key("a"), "{}", px=60_000)
                client.hset(record_key("b"), "s", "STARTED")
            server.kill()
            server.start()
    assert effects(tmp_path) == (Counter({"a": 2}), Counter({"a": 2}))
