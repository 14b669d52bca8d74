"""Faults of workers: killed, their processes killed, poisoned, hung, replaced, leaking."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tests.faults.processes import Setup
from tests.faults.rows import Row, Scene

if TYPE_CHECKING:
    from local.child import Child

PREFORK = Setup(pool="prefork")
SPECIAL = 1_000_000
"""Numbers of tasks that a row adds of its own begin here."""
TIME_LIMIT_SECONDS = 10
LEAK_LIMIT_KIB = 700_000


async def kill_worker(scene: Scene) -> None:
    """Kill -9 of the worker and all its processes in the middle of tasks, then a new one."""
    await scene.under_way()
    async for _ in scene.times(5):
        await asyncio.sleep(scene.rng.uniform(0.5, 2))
        worker = scene.system.workers[0]
        await scene.do(worker.kill)
        scene.system.drop_worker(worker)
        await scene.do(scene.system.start_worker_and_wait)


async def kill_pool_child(scene: Scene) -> None:
    """Kill -9 of one process of the pool, as the kernel does when memory is short."""
    await scene.under_way()
    for _ in range(3 if scene.brief else 8):
        children = await scene.do(pool_processes, scene.system.workers[0])
        if children:
            with suppress(ProcessLookupError):
                os.kill(scene.rng.choice(children), signal.SIGKILL)
        await asyncio.sleep(scene.rng.uniform(0.5, 3))


def pool_processes(worker: Child) -> list[int]:
    """Process ids of the worker's children that predict."""
    text = Path(f"/proc/{worker.pid}/task/{worker.pid}/children").read_text(encoding="ascii")
    return [int(word) for word in text.split()]


async def poison(scene: Scene) -> None:
    """Tasks that end the process they run in, each time."""
    await scene.under_way()
    for number in range(3):
        await scene.expect(SPECIAL + number, "FAILURE", action="exit")


async def hang(scene: Scene) -> None:
    """Tasks that never come back."""
    await scene.under_way()
    for number in range(2):
        await scene.expect(SPECIAL + number, "FAILURE", seconds=3600)
    await asyncio.sleep(TIME_LIMIT_SECONDS)


async def replace_workers(scene: Scene) -> None:
    """A deployment: the new worker first, then SIGTERM to the old one, while callers wait and submit."""
    await scene.under_way()
    async for _ in scene.times(3):
        old = scene.system.workers[0]
        await scene.do(scene.system.start_worker_and_wait)
        await scene.do(old.stop)
        scene.system.drop_worker(old)


async def leak(scene: Scene) -> None:
    """Tasks that each leave 20 MB behind, in a worker told to replace a process that has grown too big."""
    await scene.under_way()
    before = set(await scene.do(pool_processes, scene.system.workers[0]))
    for number in range(60):
        await scene.expect(SPECIAL + number, "SUCCESS", action="leak")
        await asyncio.sleep(0.1)
    await asyncio.sleep(5)
    replaced = before - set(await scene.do(pool_processes, scene.system.workers[0]))
    scene.remark(f"{len(replaced)} of {len(before)} processes were replaced")


WORKER_ROWS = [
    Row("worker-killed", "kill -9 of the worker mid-task, 5 times, a new one each time", kill_worker, 75),
    Row(
        "pool-child-killed",
        "kill -9 of one process of the pool, 8 times",
        kill_pool_child,
        25,
        setup=PREFORK,
    ),
    Row("poison-task", "3 tasks that end their process each time", poison, 15, setup=PREFORK),
    Row(
        "hanging-task",
        f"2 tasks that never end (time limit {TIME_LIMIT_SECONDS} s)",
        hang,
        TIME_LIMIT_SECONDS + 5,
        setup=Setup(worker={"TASK_TIME_LIMIT_SECONDS": str(TIME_LIMIT_SECONDS)}, pool="prefork"),
    ),
    Row(
        "rolling-restart",
        "new worker first, SIGTERM to the old one, 3 times; no call may fail",
        replace_workers,
        60,
        fails_none=True,
    ),
    Row(
        "memory-leak",
        f"60 tasks that leak 20 MB each; worker with --max-memory-per-child {LEAK_LIMIT_KIB}",
        leak,
        20,
        setup=Setup(worker_arguments=("--max-memory-per-child", str(LEAK_LIMIT_KIB)), pool="prefork"),
    ),
]
