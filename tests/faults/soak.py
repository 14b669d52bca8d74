"""`make soak`: random faults at random moments under steady load, for MINUTES; the seed repeats it.

Every server is behind a proxy, so that faults of the network are among those drawn. One fault at a time, each
in its short form; the ledger and the invariants are those of `make faults`.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from tests.faults.__main__ import run_command
from tests.faults.callers import Caller, Load, client_of
from tests.faults.ledger import Ledger, broken_invariants
from tests.faults.matrix import ROWS
from tests.faults.processes import Setup
from tests.faults.report import line, say
from tests.faults.rows import Outcome, Row, Scene, settle
from tests.faults.system import QUORUM_SECONDS, System

if TYPE_CHECKING:
    from tests.faults.options import Options

RATE = 25.0
PAUSE_SECONDS = 10.0
SETUP = Setup(worker_proxied=True, edge_proxied=True)


def drawn_from(system: System) -> list[Row]:
    """The rows that need no settings of their own and can be run here."""
    return [
        row
        for row in ROWS.values()
        if replace(row.setup, worker_proxied=True, edge_proxied=True) == SETUP
        and not row.members
        and not row.not_run_because(system)
    ]


async def soak(system: System, options: Options) -> Outcome:
    """Inject until the time is over, then let everything end and count."""
    started = time.monotonic()
    seconds = options.minutes * 60
    rng = random.Random(options.seed)  # noqa: S311  repeatable on purpose
    await asyncio.to_thread(system.arrange, SETUP)
    await asyncio.sleep(QUORUM_SECONDS)
    ledger = Ledger()
    stood_still = 0.0
    caller = Caller(client_of(system.url), ledger)
    load = Load(caller, tasks=int(RATE * seconds) + 1, rate=RATE, seconds=0.005)
    scene = Scene(system, load, caller, ledger, rng, brief=True, soaking=True)
    rows = drawn_from(system)
    until = time.monotonic() + seconds
    async with asyncio.TaskGroup() as group:
        group.create_task(load.run())
        while (left := until - time.monotonic()) > 0:
            await asyncio.sleep(min(left, rng.uniform(0, PAUSE_SECONDS)))
            row = rng.choice(rows)
            say(f"{seconds - left:6.0f} s  {row.name}")
            await row.inject(scene)
            stood_still = max(stood_still, row.stood_still)
            ledger.fault_ended_at = time.time()
        load.stop()
    await settle(scene)
    broken = broken_invariants(ledger, stood_still=stood_still) + scene.violations
    return Outcome("soak", ledger, broken, scene.remarks, time.monotonic() - started)


async def run(options: Options, system: System) -> list[Outcome]:
    """The one row that a soak is."""
    outcome = await soak(system, options)
    say(line(outcome))
    return [outcome]


if __name__ == "__main__":
    sys.exit(run_command("soak", run))
