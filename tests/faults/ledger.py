"""What was submitted and how each ended: the counts of a row, and the invariants that they break.

    accepted = done + failed + revoked + dead + queued + lost,  and lost is 0

A task is counted by what its caller reads at `GET /monitoring/task_status/{id}`; `dead` is a failure whose
message lies in the dead-letter queue. Executions may repeat, effects may not.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

ANSWER_SECONDS = 30.0
"""Every client call is answered within this."""
REFUSAL_SECONDS = 5.0
"""A 503 comes within this."""
TERMINAL_SECONDS = 120.0
"""Every accepted id is terminal this long after the fault has ended."""
DOCUMENTED = {502, 503, 504}
TERMINAL = {"SUCCESS", "FAILURE", "REVOKED"}


@dataclass(frozen=True)
class Call:
    """One call of a client; `status` is 0 where there was no answer, and `why` says why."""

    kind: str
    status: int
    seconds: float
    retry_after: bool = True
    why: str = ""


@dataclass
class Accepted:
    """One 202, and what its caller read last."""

    number: int
    at: float
    """Seconds since the epoch."""
    state: str = ""
    """Empty: never read; `404` and the like: no such task."""
    finished_at: float = 0.0
    answer: int | None = None

    def read(self, body: dict[str, object]) -> None:
        """Take over what a status says."""
        self.state = str(body["status"])
        if body["finished_at"]:
            self.finished_at = datetime.fromisoformat(str(body["finished_at"])).timestamp()
        result = body["result"]
        if isinstance(result, dict):
            self.answer = result["prediction"]["output"]["number"]


@dataclass
class Ledger:
    """One row's bookkeeping."""

    submitted: int = 0
    calls: list[Call] = field(default_factory=list)
    accepted: dict[str, Accepted] = field(default_factory=dict)
    expected: dict[str, str] = field(default_factory=dict)
    """Task ids that must end in a state of their own."""
    run_once: set[int] = field(default_factory=set)
    """Numbers that must not be executed twice."""
    fault_ended_at: float = 0.0
    dead_letters: frozenset[str] = frozenset()
    executions: Counter[int] = field(default_factory=Counter)
    """By number."""
    endings: Counter[str] = field(default_factory=Counter)
    """Terminal transitions, by task id."""
    stored: Counter[str] = field(default_factory=Counter)
    """Stored results, by task id."""

    def open_ids(self) -> list[str]:
        """Accepted, and not known to have ended."""
        return [task_id for task_id, one in self.accepted.items() if one.state not in TERMINAL]

    def figures(self) -> Figures:
        """The counts."""
        states = Counter(one.state for one in self.accepted.values())
        dead = sum(
            one.state == "FAILURE" and task_id in self.dead_letters for task_id, one in self.accepted.items()
        )
        queued = states["PENDING"] + states["STARTED"] + states["RETRY"]
        ended = states["SUCCESS"] + states["FAILURE"] + states["REVOKED"]
        refusals = [call.seconds for call in self.calls if call.status == 503]
        return Figures(
            submitted=self.submitted,
            accepted=len(self.accepted),
            done=states["SUCCESS"],
            failed=states["FAILURE"] - dead,
            revoked=states["REVOKED"],
            dead=dead,
            queued=queued,
            lost=len(self.accepted) - ended - queued,
            ran_twice=sum(self.executions[one.number] > 1 for one in self.accepted.values()),
            effects_twice=len(self.effects_twice()),
            refused=len(refusals),
            longest_wait=max((call.seconds for call in self.calls), default=0.0),
            longest_refusal=max(refusals, default=0.0),
            recovery=max(0.0, self._last_end() - self.fault_ended_at),
        )

    def effects_twice(self) -> list[str]:
        """Task ids that ended or stored a result more than once, a waiting caller's too."""
        return sorted(
            {task_id for counts in (self.endings, self.stored) for task_id, n in counts.items() if n > 1}
        )

    def _last_end(self) -> float:
        """When the last of those ended that were accepted before the fault was over."""
        before = [one for one in self.accepted.values() if one.at <= self.fault_ended_at]
        return max((one.finished_at for one in before), default=0.0)


@dataclass(frozen=True)
class Figures:
    """One line of the table; times in seconds."""

    submitted: int
    accepted: int
    done: int
    failed: int
    revoked: int
    dead: int
    queued: int
    lost: int
    ran_twice: int
    effects_twice: int
    refused: int
    longest_wait: float
    longest_refusal: float
    recovery: float


def broken_invariants(ledger: Ledger, *, stood_still: float = 0.0, fails_none: bool = False) -> list[str]:
    """Each invariant that does not hold, in words.

    `stood_still` seconds of the functions' own process are nobody's fault; `fails_none`: no call may fail.
    """
    figures = ledger.figures()
    broken = []
    if figures.lost:
        broken.append(f"lost is {figures.lost}, not 0: {_some(ledger, 'lost')}")
    if figures.effects_twice:
        known = [f"{it} {'accepted' if it in ledger.accepted else ''}" for it in ledger.effects_twice()]
        broken.append(f"{figures.effects_twice} tasks had their effect twice: {', '.join(known[:3])}")
    if figures.queued or figures.recovery > TERMINAL_SECONDS:
        broken.append(
            f"not every accepted id was terminal within {TERMINAL_SECONDS:.0f} s: {figures.queued} never, "
            f"the slowest after {figures.recovery:.0f} s: {_some(ledger, 'queued')}"
        )
    broken += [
        f"task {task_id} ended as {ledger.accepted[task_id].state or 'nothing'}, not {state}"
        for task_id, state in ledger.expected.items()
        if ledger.accepted[task_id].state != state
    ]
    broken += [
        f"number {number} was executed {ledger.executions[number]} times, not once"
        for number in ledger.run_once
        if ledger.executions[number] != 1
    ]
    wrong = sum(one.answer not in {None, one.number} for one in ledger.accepted.values())
    if wrong:
        broken.append(f"{wrong} answers belong to another task")
    missing = sum(
        one.state == "SUCCESS" and not ledger.executions[one.number] for one in ledger.accepted.values()
    )
    if missing:
        broken.append(f"{missing} tasks succeeded without an execution")
    return broken + _broken_by_calls(ledger.calls, stood_still, fails_none=fails_none)


def _broken_by_calls(calls: list[Call], stood_still: float, *, fails_none: bool) -> list[str]:
    found = {
        "calls had no answer": [call for call in calls if not call.status],
        f"calls took over {ANSWER_SECONDS:.0f} s": [call for call in calls if call.seconds > ANSWER_SECONDS],
        f"refusals took over {REFUSAL_SECONDS:.0f} s": [
            call for call in calls if call.status == 503 and call.seconds > REFUSAL_SECONDS + stood_still
        ],
        "refusals had no Retry-After": [
            call for call in calls if call.status == 503 and not call.retry_after
        ],
        "answers were an undocumented 5xx": [
            call for call in calls if call.status >= 500 and call.status not in DOCUMENTED
        ],
        "good requests were refused as bad": [
            call for call in calls if call.kind in {"submit", "wait"} and 400 <= call.status < 500
        ],
        "calls failed, and none may": [call for call in calls if fails_none and call.status >= 400],
    }
    return [
        f"{len(those)} {what}, such as {max(those, key=lambda call: call.seconds)}"
        for what, those in found.items()
        if those
    ]


def _some(ledger: Ledger, kind: str) -> str:
    wanted = [
        f"{task_id} {one.state}"
        for task_id, one in ledger.accepted.items()
        if one.state not in TERMINAL and (one.state in {"PENDING", "STARTED", "RETRY"}) == (kind == "queued")
    ]
    return ", ".join(wanted[:3]) or "-"
