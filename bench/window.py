"""One measured window: the load generator in a process of its own, and what the servers used meanwhile."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import threading
import time
from typing import IO, TYPE_CHECKING

from bench import place
from bench.load import DRAIN_SECONDS, Load, Result
from bench.process_tree import cpu_seconds, tree

if TYPE_CHECKING:
    from collections.abc import Iterable

MARGIN_SECONDS = 60


class LoadFailed(RuntimeError):
    """The load generator did not do its work; the text says why."""


@dataclasses.dataclass(frozen=True)
class Window:
    """What the callers met; the processor seconds of the system, of broker and store, of the generator."""

    result: Result
    cpu: float
    servers_cpu: float
    load_cpu: float

    def per_thousand(self, seconds: float) -> float:
        """Seconds for each thousand right answers; not a number without any."""
        return seconds / self.result.requests * 1000 if self.result.requests else float("nan")


def measure(load: Load, pids: Iterable[int] = (), servers: Iterable[int] = ()) -> Window:
    """Run one load to its end. Raises LoadFailed when the generator itself fails or does not end in time."""
    seconds = load.warm_seconds + load.seconds + DRAIN_SECONDS + MARGIN_SECONDS
    with subprocess.Popen(
        [sys.executable, "-m", "bench.load"],
        cwd=place.ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        timer = threading.Timer(seconds, process.kill)
        timer.start()
        try:
            return _watch(process, load, (tree(pids), tree(servers), {process.pid}))
        finally:
            timer.cancel()
            process.kill()


def _watch(process: subprocess.Popen[str], load: Load, trees: tuple[set[int], set[int], set[int]]) -> Window:
    given, printed = _pipes(process)
    json.dump(dataclasses.asdict(load), given)
    given.close()
    readings = []
    for moment in ("begin", "end"):
        if printed.readline().strip() != moment:
            raise LoadFailed(f"the load generator ended with status {process.wait(MARGIN_SECONDS)}")
        readings.append([cpu_seconds(pids) for pids in trees])
    line = printed.readline()
    if not line:
        raise LoadFailed(f"the load generator ended with status {process.wait(MARGIN_SECONDS)}")
    used = [after - before for before, after in zip(*readings, strict=True)]
    return Window(Result(**json.loads(line)), *used)


def _pipes(process: subprocess.Popen[str]) -> tuple[IO[str], IO[str]]:
    assert process.stdin is not None
    assert process.stdout is not None
    return process.stdin, process.stdout


def settle(seconds: float = 0.5) -> None:
    """A moment in which what a load has left behind ends."""
    time.sleep(seconds)
