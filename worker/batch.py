"""A batch as it is put together out of the messages in hand."""

import time
from dataclasses import dataclass, field
from typing import Any

from tandem.backplane.errors import TandemError
from tandem.backplane.topology import SYNC
from worker.accepted_share import BESIDE_SECONDS, AcceptedShare
from worker.batch_cost import BatchCost
from worker.batch_pools import MAX_ROWS
from worker.bulk import ReceivedChunk
from worker.tasks import Received

MAX_BYTES = 8_000_000
ROWS_SECONDS = 0.5
"""What the rows of a batch may be expected to add to the call itself: whoever comes meanwhile waits."""
MOST_WAITED = 60.0
"""Seconds: no caller waits for longer, so that clocks that say so are wrong."""


@dataclass(frozen=True, slots=True)
class Held:
    """One message in hand."""

    request: Any
    """Celery's own, so that `inspect`, events and a shutdown know of it."""
    message: Any
    received: Received
    since: float = field(default_factory=lambda: time.monotonic())  # noqa: PLW0108  a test's clock too
    """When it came (monotonic seconds)."""

    @property
    def is_callers(self) -> bool:
        """Whether somebody waits for it."""
        return self.received.queue == SYNC

    @property
    def waited(self) -> float:
        """Seconds from the request that it came of until now, as far as the clocks of both ends agree."""
        in_hand = time.monotonic() - self.since
        asked = time.time() - self.received.work.delivery.submitted_ms / 1000
        return max(in_hand, asked) if asked < MOST_WAITED else in_hand

    @property
    def alone(self) -> bool:
        """Whether it must not share a batch."""
        redelivered = (self.message.delivery_info or {}).get("redelivered")
        return bool(redelivered) or isinstance(self.received, ReceivedChunk)

    @property
    def tag(self) -> tuple[int, Any]:
        """Channel and delivery tag: chunks come on a channel of their own, which counts for itself."""
        return id(self.message.channel), self.message.delivery_tag

    @property
    def model(self) -> tuple[Any, ...]:
        """What it must have in common with its batch: a fast model's callers do not wait for a slow one."""
        work = self.received.work
        if isinstance(work.ask, TandemError):
            return ()
        return (work.ask.model, work.ask.alias, work.model_version)


class Batch:
    """One batch as it is put together: rows of one model, bounded in number, bytes and time.

    While callers come, rows that nobody waits for are held to what those would hardly notice.
    """

    def __init__(self, first: Held, cost: BatchCost, share: AcceptedShare) -> None:
        self.messages: list[Held] = []
        self._first = first
        self._model = first.model
        self._cost = cost
        self._bytes = 0
        self._earliest_ms = 0
        self._most = cost.rows_adding(ROWS_SECONDS, MAX_ROWS)
        self._others = 0
        self._most_others = MAX_ROWS
        if share.callers_come:
            seconds = share.riding_seconds() if first.is_callers else BESIDE_SECONDS
            self._most_others = cost.rows_adding(seconds, MAX_ROWS) if seconds > 0 else 0

    def has_room_for(self, queue: str) -> bool:
        """Whether a message of that queue could still be added, for all that its queue says."""
        if self.messages and (len(self.messages) >= self._most or self._first.alone):
            return False
        return queue == SYNC or self._others < self._most_others

    def takes(self, held: Held) -> bool:
        """Add the message if it fits; whether it did."""
        if held is not self._first and not self._fits(held):
            return False
        self.messages.append(held)
        self._bytes += len(held.message.body)
        self._others += not held.is_callers
        deadline_ms = held.received.work.delivery.deadline_ms
        if deadline_ms and (not self._earliest_ms or deadline_ms < self._earliest_ms):
            self._earliest_ms = deadline_ms
            left = deadline_ms / 1000 - time.time()
            self._most = min(self._most, self._cost.rows_within(left, MAX_ROWS))
        return True

    def _fits(self, held: Held) -> bool:
        room = self._bytes + len(held.message.body) <= MAX_BYTES and self.has_room_for(held.received.queue)
        return room and not held.alone and not self._first.alone and held.model == self._model
