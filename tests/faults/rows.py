"""A row of the fault matrix: what it does to the system while callers work, and how it is run and counted."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from tests.faults.callers import Caller, Load, client_of
from tests.faults.effects import effects
from tests.faults.ledger import TERMINAL_SECONDS, Figures, Ledger, broken_invariants
from tests.faults.processes import Setup
from tests.faults.system import QUORUM_SECONDS, System

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

PREFORK_RATE = 80.0
"""Submissions a second at most under prefork, which does fewer."""
UNDER_WAY_SECONDS = 120
MAX_ROW_SECONDS = 1800
Result = TypeVar("Result")
RABBITMQ, REDIS = "rabbitmq", "redis"


@dataclass(frozen=True)
class Row:
    """One fault. `inject` returns when the fault is over."""

    name: str
    says: str
    """What is done, for the table."""
    inject: Callable[[Scene], Awaitable[None]]
    lasts: float = 10.0
    """Seconds that `inject` takes, about: the load is spread over a little more."""
    seconds: float = 0.001
    """What a task takes in the model."""
    setup: Setup = field(default_factory=Setup)
    brokers: frozenset[str] = frozenset({RABBITMQ, REDIS})
    needs_own_broker: bool = False
    needs_grown_queues: bool = False
    stood_still: float = 0.0
    """Seconds for which the functions' process itself is stopped."""
    fails_none: bool = False
    members: tuple[tuple[str, object], ...] = ()
    """Members of every submitted body beside the features."""

    def not_run_because(self, system: System) -> str:
        """Why it cannot be run on this system; empty where it can."""
        kind = REDIS if system.is_redis else RABBITMQ
        if kind not in self.brokers:
            return f"there is nothing like it on {kind}"
        if self.needs_own_broker and system.broker is None:
            return "the broker is a given one, which is not for us to harm"
        return ""


@dataclass
class Scene:
    """What an injection sees."""

    system: System
    load: Load
    caller: Caller
    ledger: Ledger
    rng: random.Random
    brief: bool
    soaking: bool = False
    remarks: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)

    async def do(self, step: Callable[..., Result], *arguments: object) -> Result:
        """A step that blocks, beside the callers."""
        return await asyncio.to_thread(step, *arguments)

    async def under_way(self, share: float = 0.2) -> None:
        """Wait until that share has been submitted; not in a soak, where work is always under way."""
        deadline = time.monotonic() + UNDER_WAY_SECONDS
        while True:
            if self.soaking or self.load.share >= share or self.load.is_over or time.monotonic() > deadline:
                return
            await asyncio.sleep(0.05)

    async def lasting(self, seconds: float) -> None:
        """Let the fault last; a third of it in the short form."""
        await asyncio.sleep(seconds / 3 if self.brief else seconds)

    async def times(self, count: int, pause: float = 0.0) -> AsyncIterator[int]:
        """How often to do it, with a pause between two; once in the short form."""
        for number in range(1 if self.brief else count):
            if number:
                await asyncio.sleep(pause)
            yield number

    def remark(self, text: str) -> None:
        """Say something beside the figures."""
        self.remarks.append(text)

    def violated(self, text: str) -> None:
        """Say that an invariant of the row's own does not hold."""
        self.violations.append(text)

    async def expect(self, number: int, state: str, *, seconds: float = 0.0, action: str = "") -> None:
        """Submit a task that must end in `state`."""
        task_id = await self.caller.submit(number, seconds=seconds, action=action)
        if task_id is not None:
            self.ledger.expected[task_id] = state


@dataclass(frozen=True)
class Outcome:
    """What came of a row."""

    name: str
    ledger: Ledger
    broken: list[str]
    remarks: list[str]
    seconds: float

    @property
    def figures(self) -> Figures:
        """The counts."""
        return self.ledger.figures()


def failed(name: str, error: BaseException) -> Outcome:
    """A row that could not be run to its end."""
    causes = error.exceptions if isinstance(error, BaseExceptionGroup) else [error]
    return Outcome(name, Ledger(), [f"it broke off: {repr(cause)[:200]}" for cause in causes], [], 0.0)


async def run_row(
    system: System, row: Row, *, tasks: int, seed: int, rate: float, brief: bool = False
) -> Outcome:
    """Put load on the system, inject, let everything end, count. Raises StartError where it cannot begin."""
    started = time.monotonic()
    await asyncio.to_thread(system.arrange, row.setup)
    if row.needs_grown_queues:
        await asyncio.sleep(max(0.0, system.queues_declared_at + QUORUM_SECONDS - time.monotonic()))
    ledger = Ledger()
    lasts = row.lasts / 5 if brief else row.lasts
    async with asyncio.timeout(MAX_ROW_SECONDS):
        caller = Caller(client_of(system.url), ledger)
        rate = min(rate if row.setup.pool == "solo" else min(rate, PREFORK_RATE), tasks / (lasts + 3))
        load = Load(caller, tasks=tasks, rate=rate, seconds=row.seconds, **dict(row.members))
        rng = random.Random(f"{seed}-{row.name}")  # noqa: S311  repeatable on purpose
        scene = Scene(system, load, caller, ledger, rng, brief)
        async with asyncio.TaskGroup() as group:
            group.create_task(load.run())
            await row.inject(scene)
            ledger.fault_ended_at = time.time()
        await settle(scene)
    broken = broken_invariants(ledger, stood_still=row.stood_still, fails_none=row.fails_none)
    broken += scene.violations
    return Outcome(row.name, ledger, broken, scene.remarks, time.monotonic() - started)


async def settle(scene: Scene) -> None:
    """Let everything end that was accepted, and see what there is of it in the store and among the dead."""
    await scene.caller.settle(time.monotonic() + TERMINAL_SECONDS)
    system, ledger = scene.system, scene.ledger
    ledger.executions = await scene.do(system.executions)
    ledger.dead_letters = await scene.do(system.dead_letters)
    ledger.endings, ledger.stored = await scene.do(effects, system.store.directory)
