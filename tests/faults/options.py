"""What `make faults` and `make soak` are asked for, by environment variables."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass

from tests.faults.brokers import BROKERS, GIVEN
from tests.faults.matrix import ROWS

TASKS = 10_000
RATE = 300.0
"""Submissions a second at most: what two cores do, so that a backlog is caught up with."""
MINUTES = 5.0


class OptionError(ValueError):
    """A variable is wrong; the text says which."""


@dataclass(frozen=True)
class Options:
    """One run."""

    broker: str
    tasks: int
    rows: tuple[str, ...]
    seed: int
    minutes: float
    rate: float = RATE

    @classmethod
    def of_environment(cls) -> Options:
        """Read the variables; OptionError for the first one that is wrong."""
        environ = os.environ
        broker = environ.get("BROKER") or "rabbitmq"
        if broker not in BROKERS and not GIVEN.fullmatch(broker):
            raise OptionError(f"BROKER must be {', '.join(BROKERS)} or a URL")
        rows = tuple(name for name in environ.get("ROWS", "").replace(",", " ").split() if name)
        if unknown := [name for name in rows if name not in ROWS]:
            raise OptionError(f"ROWS has {', '.join(unknown)}, and there are: {', '.join(ROWS)}")
        try:
            return cls(
                broker,
                max(1, int(environ.get("TASKS") or TASKS)),
                rows or tuple(ROWS),
                int(environ.get("SEED") or secrets.randbelow(10**6)),
                float(environ.get("MINUTES") or MINUTES),
                max(1.0, float(environ.get("RATE") or RATE)),
            )
        except ValueError as error:
            raise OptionError(f"TASKS, SEED, MINUTES and RATE must be numbers ({error})") from error

    @property
    def is_whole(self) -> bool:
        """Whether every row is asked for."""
        return set(self.rows) == set(ROWS)

    @property
    def broker_name(self) -> str:
        """The broker without its address, which may have a password in it."""
        return "URL" if GIVEN.fullmatch(self.broker) else self.broker

    @property
    def command(self) -> str:
        """How the run is repeated."""
        rows = "" if self.is_whole else f" ROWS={','.join(self.rows)}"
        rate = "" if self.rate == RATE else f" RATE={self.rate:g}"
        return f"make faults BROKER={self.broker_name} TASKS={self.tasks} SEED={self.seed}{rate}{rows}"
