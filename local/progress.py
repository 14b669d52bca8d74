"""A long step with a beginning, a sign of life and an end."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

STEP_SECONDS = 0.25
QUIET_SECONDS = 10


class Progress:
    """Prints `what … 12 s`: every second on a terminal, on one line; every ten seconds elsewhere."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._started = time.monotonic()
        self._terminal = sys.stdout.isatty()
        self._shown = 0
        if not self._terminal:
            print(f"{what} …", flush=True)

    @property
    def seconds(self) -> int:
        """How long it has taken so far."""
        return int(time.monotonic() - self._started)

    def wait_while(self, goes_on: Callable[[], bool], *, timeout_seconds: float) -> bool:
        """Wait while it goes on; False when it still does after the timeout."""
        while goes_on():
            if self.seconds > timeout_seconds:
                return False
            self._tick()
            time.sleep(STEP_SECONDS)
        return True

    def done(self, outcome: str = "done") -> None:
        """Print how it ended."""
        print(f"{self._line_start()}{self._what}: {outcome} ({self.seconds} s)", flush=True)

    def _tick(self) -> None:
        if self.seconds < self._shown + (1 if self._terminal else QUIET_SECONDS):
            return
        self._shown = self.seconds
        end = "" if self._terminal else "\n"
        print(f"{self._line_start()}{self._what} … {self.seconds} s", end=end, flush=True)

    def _line_start(self) -> str:
        return "\r\x1b[K" if self._terminal else ""
