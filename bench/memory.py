"""Whether memory stays flat: sixteen callers for some minutes, the processes looked at every few seconds."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from bench.process_tree import memory_mb, tree
from bench.statistics import median, shown
from bench.tandem import tandem

if TYPE_CHECKING:
    from bench.bench import Bench, Figures

CALLERS = 16
SAMPLES = 40


def measure(bench: Bench) -> Figures:
    """Memory over time; growth from the second quarter to the last, the first being for caches to fill."""
    seconds = bench.options.minutes * 60
    samples: list[float] = []
    with tandem().running(bench.servers) as running, ThreadPoolExecutor(1) as beside:
        load = beside.submit(bench.window, running, "tandem", CALLERS, seconds=seconds)
        processes = tree(running.pids)
        while not load.done():
            samples.append(round(memory_mb(processes), 1))
            time.sleep(seconds / SAMPLES)
        result = load.result().result
    quarter = len(samples) // 4
    early, late = median(samples[quarter : 2 * quarter]), median(samples[-quarter:])
    return {
        "minutes": bench.options.minutes,
        "requests": result.requests,
        "failures": result.failures,
        "megabytes": samples,
        "growth_percent": round((late / early - 1) * 100, 2),
    }


def show(figures: Figures) -> list[str]:
    """One line."""
    first, last = figures["megabytes"][0], figures["megabytes"][-1]
    asked = f"{figures['requests']:,} requests in {figures['minutes']:g} minutes"
    grown = f"{figures['growth_percent']:+.1f} % from the second quarter to the last"
    return [f"{asked}: {shown(first)} MB at the start, {shown(last)} MB at the end, {grown}."]
