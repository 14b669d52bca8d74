"""What waiting callers notice of a flood: four alone, then beside sixteen that hand in work without pause."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from bench.statistics import median, paired, shown
from bench.tables import table
from bench.tandem import tandem
from bench.window import settle

if TYPE_CHECKING:
    from bench.bench import Bench, Figures

WAITING, FLOODING = 4, 16
LEAD_SECONDS = 1.0


def measure(bench: Bench) -> Figures:
    """Quiet and flooded in turns."""
    quiet, flooded, accepted = [], [], []
    with tandem().running(bench.servers) as running, ThreadPoolExecutor(1) as beside:
        bench.window(running, "tandem", WAITING)
        for _ in range(bench.options.rounds):
            settle(2)  # what is left of the last flood
            quiet.append(bench.window(running, "tandem", WAITING).result)
            seconds = bench.options.seconds + 2 * LEAD_SECONDS
            flood = beside.submit(bench.window, running, "tandem-async", FLOODING, seconds=seconds)
            settle(LEAD_SECONDS)
            flooded.append(bench.window(running, "tandem", WAITING).result)
            accepted.append(flood.result().result)
    return {
        "quiet": [round(result.p99, 2) for result in quiet],
        "flooded": [round(result.p99, 2) for result in flooded],
        "accepted_rate": [round(result.rate, 1) for result in accepted],
        "flooded_by_quiet": paired([one.p99 for one in flooded], [one.p99 for one in quiet]),
        "failures": sum(result.failures for result in (*quiet, *flooded, *accepted)),
    }


def show(figures: Figures) -> list[str]:
    """One line."""
    head = ["p99 of 4 waiting callers, ms", "alone", "under the flood", "flood, tasks/s", "failed"]
    middles = (shown(median(figures[what])) for what in ("quiet", "flooded", "accepted_rate"))
    return table(head, [["", *middles, f"{figures['failures']}"]])
