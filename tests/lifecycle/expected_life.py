"""What the lifecycle promises of one task, said once more in Python, for the scripts to be held against.

Times are milliseconds of a clock that the test moves. Methods give what the store is to answer.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

RESULT_TTL_MS = 3_600_000
GONE_TTL_MS = 86_400_000
REPLY_TTL_MS = 60_000
DEFAULT_EXPIRES_MS = 600_000
MAX_ATTEMPTS = 3

TERMINAL = {"SUCCESS", "FAILURE", "REVOKED"}


class Start(StrEnum):
    """What becomes of a delivery."""

    RUN = "run"
    DONE = "done"
    SPENT = "spent"


@dataclass(frozen=True)
class Record:
    """What is kept of a task while it is kept."""

    state: str
    expires_at: int
    until: int
    """When the record, and the result beside it, fall away."""
    kept: bool
    """Whether somebody was given the id."""
    attempts: int = 0
    attempts_before: int = 0
    """Attempts made before a failed task was opened again."""
    reopened: bool = False
    reason: str = ""
    """Why it was revoked."""
    document: bytes = b""
    """The answer of the attempt that counted."""
    owner: str = ""


class ExpectedLife:
    """One task."""

    def __init__(self) -> None:
        self.record: Record | None = None
        self.gone_until = -1
        self.gone_owner = ""

    def at(self, now: int) -> Record | None:
        """Let what is over its time fall away, and settle what has expired."""
        self.forget_what_is_over(now)
        if self.record is not None and self.record.state not in TERMINAL and self.record.expires_at <= now:
            self._revoke(now, "expired")
        return self.record

    def forget_what_is_over(self, now: int) -> None:
        """What Redis does by itself."""
        if self.record is not None and self.record.until <= now:
            self.record = None

    def is_gone(self, now: int) -> bool:
        """Whether it is still known that the task has been."""
        return now < self.gone_until

    def is_of(self, now: int, caller: str) -> bool:
        """Whether it is this caller's; of nothing at all that cannot be told."""
        owner = self.gone_owner if self.is_gone(now) else ""
        return (self.record.owner if self.record is not None else owner) == caller

    def accept(self, now: int, expires_ms: int, owner: str) -> bool:
        """Whether the id was free."""
        self.forget_what_is_over(now)
        if self.record is not None or self.is_gone(now):
            return False
        expires_at = now + expires_ms
        self.record = Record("PENDING", expires_at, expires_at + RESULT_TTL_MS, kept=True, owner=owner)
        self._remember(expires_at + RESULT_TTL_MS + GONE_TTL_MS)
        return True

    def forget(self, now: int) -> None:
        """The broker refused the message."""
        self.forget_what_is_over(now)
        if self.record is not None and self.record.state == "PENDING" and self.record.attempts == 0:
            self.record, self.gone_until = None, -1

    def start(self, now: int, *, accepted: bool, deadline: int) -> tuple[Start, int]:
        """What becomes of a delivery, and the number of the attempt."""
        record = self.at(now)
        too_late = bool(deadline) and deadline <= now
        if record is None and not self.is_gone(now) and (accepted or not too_late):
            expires_at = now + DEFAULT_EXPIRES_MS
            record = Record("PENDING", expires_at, expires_at + RESULT_TTL_MS, kept=accepted)
        if record is None or record.state in TERMINAL:
            return Start.DONE, 0
        self.record = record
        if too_late and not record.kept:
            self._revoke(now, "deadline")
            return Start.DONE, 0
        number = record.attempts + 1
        self.record = replace(record, attempts=number)
        if number - record.attempts_before > MAX_ATTEMPTS:
            return Start.SPENT, number
        self.record = replace(self.record, state="STARTED")
        return Start.RUN, number

    def counts(self, now: int, number: int) -> bool:
        """Whether an attempt may still write."""
        self.forget_what_is_over(now)
        record = self.record
        return record is not None and record.state == "STARTED" and record.attempts == number

    def finish(self, now: int, number: int, state: str, document: bytes) -> bool:
        """Whether the end of an attempt counts."""
        if not self.counts(now, number):
            return False
        self._end(now, state, document)
        return True

    def fail(self, now: int, document: bytes) -> bool:
        """Whether a failure that no attempt brings counts."""
        self.forget_what_is_over(now)
        if self.record is None and not self.is_gone(now):
            self.record = Record("PENDING", now, now, kept=True)
        if self.record is None or self.record.state in TERMINAL:
            return False
        self._end(now, "FAILURE", document)
        return True

    def give_back(self, now: int, number: int) -> bool:
        """Whether an attempt gives the task back, now or before; it is not one of the attempts that count."""
        if self.counts(now, number) and self.record is not None:
            before = self.record.attempts_before + 1
            self.record = replace(self.record, state="RETRY", attempts_before=before)
        record = self.record
        return record is not None and record.state == "RETRY" and record.attempts == number

    def cancel(self, now: int) -> bool:
        """Whether this call ended it; the task is known."""
        record = self.at(now)
        if record is None or record.state in TERMINAL:
            return False
        self._revoke(now, "canceled")
        return True

    def abandon(self, now: int, caller: str) -> bool:
        """Whether a result document is to come back."""
        record = self.at(now)
        if record is None and self.is_gone(now):
            return False
        if record is not None:
            record = replace(record, owner=record.owner or caller)
        if record is None or record.state in {"PENDING", "RETRY"}:
            self.record = record or Record("PENDING", now, now, kept=True, owner=caller)
            self._revoke(now, "deadline")
            return False
        ended = record.state in TERMINAL
        self.record = replace(record, kept=True, until=now + RESULT_TTL_MS if ended else record.until)
        self._remember(now + RESULT_TTL_MS + GONE_TTL_MS)
        return ended

    def reopen(self, now: int) -> bool:
        """Whether a failed task waits again."""
        self.forget_what_is_over(now)
        record = self.record
        waits = record is not None and record.state == "PENDING" and record.reopened
        if record is not None and record.state != "FAILURE" and not waits:
            return False
        attempts = self.record.attempts if self.record is not None else 0
        owner = self.gone_owner if self.is_gone(now) else ""
        expires_at = now + DEFAULT_EXPIRES_MS
        self.record = Record(
            "PENDING",
            expires_at,
            expires_at + RESULT_TTL_MS,
            kept=True,
            attempts=attempts,
            attempts_before=attempts,
            reopened=True,
            owner=record.owner if record is not None else owner,
        )
        self._remember(expires_at + RESULT_TTL_MS + GONE_TTL_MS)
        return True

    def _end(self, now: int, state: str, document: bytes) -> None:
        assert self.record is not None
        until = now + (RESULT_TTL_MS if self.record.kept else REPLY_TTL_MS)
        self.record = replace(self.record, state=state, document=document, until=until)
        if self.record.kept:
            self._remember(now + RESULT_TTL_MS + GONE_TTL_MS)

    def _revoke(self, now: int, reason: str) -> None:
        assert self.record is not None
        self.record = replace(self.record, state="REVOKED", reason=reason, until=now + RESULT_TTL_MS)
        self._remember(now + RESULT_TTL_MS + GONE_TTL_MS)

    def _remember(self, until: int) -> None:
        assert self.record is not None
        self.gone_until, self.gone_owner = until, self.record.owner
