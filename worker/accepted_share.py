"""How much of itself a worker gives to accepted work while waiting callers come.

Callers who wait and work that nobody waits for share processors, here and in the broker and the store. A
second of accepted work keeps every caller who waits just then waiting for a second. So each of them counts
as much as all accepted work does, with what that costs around it: beside one caller who always waits it has
a third of the worker's time, beside nine a nineteenth, and all of it when they stop coming. How many wait is
what callers have waited lately, from request to answer, for each second that went by (Little's law).

So a hundred thousand tasks in the queue cost waiting callers little more than none, and yet go on.
"""

import math
import time

COMING_SECONDS = 1.0
"""How long after a waiting caller another one is expected; also what a worker remembers of their waiting."""
AROUND = 2
"""A batch in the model and the store costs about as much again before and after, here and in the broker."""
MOST_WAITING = 200
"""More are taken for so many, so that accepted work goes on."""


class AcceptedShare:
    """What callers have waited lately, and how long accepted work rests because of it. For one thread."""

    def __init__(self) -> None:
        self._caller_came_at = -math.inf
        self._waited_seconds = 0.0
        self._counted_at = time.monotonic()
        self._rests_until = -math.inf

    def caller_came(self) -> None:
        """Note that somebody waits."""
        self._caller_came_at = time.monotonic()

    @property
    def callers_come(self) -> bool:
        """Whether another waiting caller is to be expected."""
        return time.monotonic() - self._caller_came_at < COMING_SECONDS

    def is_due(self, since: float) -> bool:
        """Whether accepted work in hand since then (monotonic seconds) goes before callers for once."""
        return time.monotonic() >= max(self._rests_until, since + COMING_SECONDS)

    def rows_beside(self, callers: int) -> float:
        """How many rows that nobody waits for go along with so many that somebody waits for."""
        waiting = self._waiting()
        return callers / waiting if waiting else math.inf

    def ran(self, seconds: float, waited: float) -> None:
        """Note a batch that took `seconds`, and seconds that callers in it have waited together, if any."""
        now = time.monotonic()
        if waited:
            self._waited_seconds = self._lately(now) + waited
            self._counted_at = now
        elif self.callers_come:
            self._rests_until = now + AROUND * seconds * min(self._waiting(), MOST_WAITING)

    def rest_seconds(self) -> float:
        """How long accepted work alone is not to be run yet; 0 for none, as when no caller comes."""
        return max(0.0, self._rests_until - time.monotonic()) if self.callers_come else 0.0

    def _lately(self, now: float) -> float:
        """Seconds that callers have waited; what is older than COMING_SECONDS counts less and less."""
        return self._waited_seconds * math.exp(min(0.0, self._counted_at - now) / COMING_SECONDS)

    def _waiting(self) -> float:
        """How many callers wait at a time."""
        return self._lately(time.monotonic()) / COMING_SECONDS
