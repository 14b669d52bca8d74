"""`make faults`: inject every fault that one machine allows, count, and fail where an invariant is broken.

Variables: TASKS (10000 a row), BROKER (rabbitmq, rabbitmq4, redis or a URL), ROWS (names, all of them by
default), SEED, RATE (submissions a second at most, 300), WORKER_POOL. The table goes into docs/06-faults.md
when every row was asked for.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from local.child import StartError
from tandem.backplane.errors import TandemError
from tests.faults import report
from tests.faults.brokers import version_of
from tests.faults.matrix import ROWS
from tests.faults.options import OptionError, Options
from tests.faults.report import say
from tests.faults.rows import Outcome, failed, run_row
from tests.faults.system import System

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from types import FrameType


BROKE_OFF = (ExceptionGroup, StartError, TandemError, OSError)
"""What ends a row and not the run; an ExceptionGroup is what goes wrong in an injection."""


async def run(options: Options, system: System) -> list[Outcome]:
    """Every row asked for; writes the table where that is all of them."""
    outcomes: list[Outcome] = []
    not_run: dict[str, str] = {}
    for name in options.rows:
        row = ROWS[name]
        if reason := row.not_run_because(system):
            not_run[name] = reason
            say(f"{name}: not run, {reason}")
            continue
        try:
            outcome = await run_row(system, row, tasks=options.tasks, seed=options.seed, rate=options.rate)
        except BROKE_OFF as error:
            outcome = failed(name, error)
        outcomes.append(outcome)
        say(report.line(outcome))
    if options.is_whole:
        heading = f"**{await asyncio.to_thread(version_of, system.broker_url)}**: `{options.command}`"
        report.write("rows", report.descriptions(ROWS.values()))
        report.write(options.broker_name, report.table(heading, outcomes, not_run))
    return outcomes


def run_command(name: str, run: Callable[[Options, System], Coroutine[None, None, list[Outcome]]]) -> int:
    """Bring a system up and run; 0 when every invariant held, 1 when not, 2 for a wrong variable."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        options = Options.of_environment()
    except OptionError as error:
        say(f"{name}: {error}")
        return 2
    say(f"{name}: BROKER={options.broker_name} SEED={options.seed}")
    try:
        with (
            tempfile.TemporaryDirectory(prefix="tandem-faults-", ignore_cleanup_errors=True) as directory,
            System(Path(directory), options.broker) as system,
        ):
            say(f"{name}: {version_of(system.broker_url)}, logs in {system.logs}")
            outcomes = asyncio.run(run(options, system))
    except StartError as error:
        say(f"{name}: {error}")
        return 1
    except KeyboardInterrupt:
        say(f"{name}: interrupted; everything that was started has been ended")
        return 130
    broken = [outcome for outcome in outcomes if outcome.broken]
    for outcome in broken:
        say(f"{name}: {outcome.name}: {'; '.join(outcome.broken)}")
    return int(bool(broken))


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(run_command("faults", run))
