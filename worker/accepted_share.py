"""How much of itself a worker gives to accepted work while waiting callers come.

Callers who wait and work that nobody waits for share processors, here and in the broker and the store. A
second of accepted work keeps every caller who waits just then waiting for a second. So each of them counts
as much as all accepted work does, with what that costs around it: beside one caller who always waits it has
a fifth of the worker's time, beside nine a thirty-seventh, and all of it when they stop coming. How many
wait is what callers have waited lately, from request to answer, for each second that went by (Little's law).

It takes its share as rows that ride along in callers' batches, which lengthens those a little. A batch of its
own costs a call of the model that somebody waits for, so there is one only where no batch has taken rows
along for as long as such a one is paid for.

So a hundred thousand tasks in the queue cost waiting callers little more than none, and yet go on.
"""

import math
import time

COMING_SECONDS = 1.0
"""How long after a waiting caller another one is expected; also what a worker remembers of their waiting."""
AROUND = 4
"""What a row costs from the broker to the acknowledgement, by what it adds to a batch: so much in all."""
MOST_WAITING = 200
"""More are taken for so many, so that accepted work goes on."""
BESIDE_SECONDS = 0.002
"""What rows that nobody waits for may be expected to add to a batch while callers come."""


class AcceptedShare:
    """What callers have waited lately, and what accepted work may take because of it. For one thread."""

    def __init__(self) -> None:
        self._caller_came_at = -math.inf
        self._waited_seconds = 0.0
        self._counted_at = time.monotonic()
        self._spent_until = -math.inf
        self._rode_at = -math.inf
        self._rests_until = -math.inf
        self._alone_seconds = 0.0

    def caller_came(self) -> None:
        """Note that somebody waits."""
        self._caller_came_at = time.monotonic()

    @property
    def callers_come(self) -> bool:
        """Whether another waiting caller is to be expected."""
        return time.monotonic() - self._caller_came_at < COMING_SECONDS

    def is_due(self, since: float) -> bool:
        """Whether accepted work not served since then (monotonic seconds) goes before callers for once."""
        return time.monotonic() >= max(self._rests_until, since + COMING_SECONDS)

    def riding_seconds(self) -> float:
        """What rows that nobody waits for may add to a batch of callers' now; 0 or less for none."""
        weight = self._weight()
        earned = (time.monotonic() - self._spent_until) / weight if weight else math.inf
        return min(BESIDE_SECONDS, earned)

    def callers_waited(self, seconds: float) -> None:
        """Note what the callers of a batch have waited, together."""
        now = time.monotonic()
        self._waited_seconds = self._lately(now) + seconds
        self._counted_at = now

    def rode(self, seconds: float) -> None:
        """Note what rows that nobody waits for have added to a batch of callers'."""
        self._rode_at, weight = time.monotonic(), self._weight()
        earned_since = max(self._spent_until, self._rode_at - weight * BESIDE_SECONDS)
        self._spent_until = earned_since + weight * seconds

    def ran_alone(self, seconds: float) -> None:
        """Note a batch of accepted work alone."""
        self._alone_seconds = seconds
        self._rests_until = time.monotonic() + self._weight() * seconds

    def rest_seconds(self) -> float:
        """How long accepted work alone is not to be run yet; 0 for none, as when no caller comes."""
        if not self.callers_come:
            return 0.0
        rested_at = max(self._rests_until, self._rode_at + self._weight() * self._alone_seconds)
        return max(0.0, rested_at - time.monotonic())

    def _weight(self) -> float:
        """For how many seconds one second of accepted work has to be earned."""
        waiting = self._lately(time.monotonic()) / COMING_SECONDS
        return AROUND * min(waiting, MOST_WAITING)

    def _lately(self, now: float) -> float:
        """Seconds that callers have waited; what is older than COMING_SECONDS counts less and less."""
        return self._waited_seconds * math.exp(min(0.0, self._counted_at - now) / COMING_SECONDS)
