"""How much of itself a worker gives to accepted work while waiting callers come.

Callers who wait and work that nobody waits for share processors, here and in the broker and the store. The
more of a worker's time the callers take, the less of what they leave goes to accepted work, down to a tenth;
once they stop coming, all of it does. So a hundred thousand tasks in the queue cost waiting callers little
more than none, and yet go on.
"""

import math
import time

COMING_SECONDS = 1.0
"""How long after a waiting caller another one is expected; also what a worker remembers of its time."""
LEAST = 0.1
"""Of the time, and of the rows of a batch with callers in it."""
STEEPNESS = 8
FEW = 0.05
"""So much of its time may go to callers before accepted work rests at all."""
CROWD = 8
"""So many callers in one batch have waited for each other; what goes along with them keeps more waiting."""


class AcceptedShare:
    """What callers have taken lately, and how long accepted work rests because of it. For one thread."""

    def __init__(self) -> None:
        self._caller_came_at = -math.inf
        self._callers_seconds = 0.0
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
        return callers * LEAST / (1 - LEAST) if callers >= CROWD else math.inf

    def ran(self, seconds: float, rows: int, callers: int) -> None:
        """Note a batch of `rows`, of which `callers` are waited for, that took `seconds`."""
        now = time.monotonic()
        self._callers_seconds = self._lately(now) + seconds * callers / rows
        self._counted_at = now
        if not callers and self.callers_come:
            self._rests_until = now + seconds * (1 / self._share() - 1)

    def rest_seconds(self) -> float:
        """How long accepted work alone is not to be run yet; 0 for none, as when no caller comes."""
        return max(0.0, self._rests_until - time.monotonic()) if self.callers_come else 0.0

    def _lately(self, now: float) -> float:
        """Seconds of the last COMING_SECONDS that went to callers; what is older counts less and less."""
        return self._callers_seconds * math.exp(min(0.0, self._counted_at - now) / COMING_SECONDS)

    def _share(self) -> float:
        idle = 1 - min(1.0, max(0.0, self._lately(time.monotonic()) / COMING_SECONDS - FEW))
        return max(LEAST, idle**STEEPNESS)
