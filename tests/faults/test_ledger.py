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


def _ends_otherwise(ledger: Ledger) -> None:
    ledger.expected = {"a": "SUCCESS", "b": "REVOKED"}


def _never_read(ledger: Ledger) -> None:
    ledger.accepted["c"] = Accepted(3, ledger.fault_ended_at)
    ledger.expected = {"c": "REVOKED"}


def _run_again(ledger: Ledger) -> None:
    ledger.run_once = {1, 2}


def _not_run(ledger: Ledger) -> None:
    ledger.run_once = {3}


def _never_ran(ledger: Ledger) -> None:
    ledger.executions = Counter({2: 1})


FAULTS: dict[str, Callable[[Ledger], None]] = {
    "lost is 1": _lose,
    "1 never": _leave,
    "the slowest after 121 s": _late,
    "1 tasks had their effect twice": _twice,
    "task b ended as FAILURE, not REVOKED": _ends_otherwise,
    "task c ended as nothing, not REVOKED": _never_read,
    "number 1 was executed 2 times, not once": _run_again,
    "number 3 was executed 0 times, not once": _not_run,
    "1 answers belong to another task": _answer_of_another,
    "1 tasks succeeded without an execution": _never_ran,
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


def test_only_where_none_may_fail_a_refusal_is_wrong() -> None:
    """What the contract foresees is no fault elsewhere; there the call is named."""
    ledger = sound()
    assert broken_invariants(ledger) == []
    [sentence] = broken_invariants(ledger, fails_none=True)
    assert sentence.startswith("1 calls failed, and none may, such as ")
    assert "status=503" in sentence
    ledger.calls = [call for call in ledger.calls if call.status == 202]
    assert broken_invariants(ledger, fails_none=True) == []


def test_while_the_functions_stood_still_nobody_is_refused_late() -> None:
    """Their own pause is added to the time that a refusal has."""
    ledger = sound()
    ledger.calls.append(Call("submit", 503, 12.0))
    assert broken_invariants(ledger, stood_still=8.0) == []
    [sentence] = broken_invariants(ledger, stood_still=6.0)
    assert sentence.startswith("1 refusals took over 5 s")


def test_a_second_effect_is_seen_although_the_store_was_killed_between_the_two(tmp_path: Path) -> None:
    """The append-only file has both endings and both results, also where the second says the same."""
    with PrivateRedis(tmp_path) as server:
        for _ in range(2):
            with redis.Redis.from_url(server.url) as client:
                # By itself Redis answers before it writes, where it is busy syncing: a kill then loses that.
                client.config_set("appendfsync", "always")
                client.hset(record_key("a"), mapping={"s": "SUCCESS", "f": 1})
                client.set(meta_key("a"), "{}", px=60_000)
                client.hset(record_key("b"), "s", "STARTED")
            server.kill()
            server.start()
    assert effects(tmp_path) == (Counter({"a": 2}), Counter({"a": 2}))
