"""10,000 callers that wait at the same time, each with a connection: all are answered, and rightly.

Bounded by open files, of which each end of a connection needs one: fewer come where a user may not have them.
"""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING

from bench.process_tree import memory_mb, tree
from bench.statistics import shown
from bench.tables import table
from bench.tandem import tandem

if TYPE_CHECKING:
    from bench.bench import Bench, Figures

CALLERS = 10_000
OTHER_FILES = 500
LONGEST_SECONDS = 60


def measure(bench: Bench) -> Figures:
    """One request each; the memory of the gateway before and after."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    callers = min(CALLERS, files - OTHER_FILES)
    with tandem().running(bench.servers) as running:
        bench.window(running, "tandem", 16)
        gateway = tree(running.pids[-1:])
        before = memory_mb(gateway)
        window = bench.window(
            running, "tandem", callers, seconds=LONGEST_SECONDS, requests=callers, warm_seconds=0
        )
        after = memory_mb(gateway)
    return {
        "callers": callers,
        "open_files": files,
        "failures": callers - window.result.requests,
        "failure": window.result.failure[:300],
        "p50": round(window.result.p50, 1),
        "longest": round(window.result.longest, 1),
        "gateway_mb": [round(before, 1), round(after, 1)],
    }


def show(figures: Figures) -> list[str]:
    """One line."""
    before, after = map(shown, figures["gateway_mb"])
    row = [
        f"{figures['callers']:,}",
        f"{figures['failures']}",
        shown(figures["p50"]),
        shown(figures["longest"]),
        f"{before} → {after}",
    ]
    return table(["waiting at once", "failed", "p50 ms", "longest ms", "gateway MB"], [row])
