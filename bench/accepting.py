"""How long 16 callers wait for a 202, which the broker has confirmed, while the worker runs their tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.statistics import median, shown
from bench.tables import table
from bench.tandem import tandem
from bench.window import settle

if TYPE_CHECKING:
    from bench.bench import Bench, Figures

CALLERS = 16


def measure(bench: Bench) -> Figures:
    """Median of the rounds."""
    with tandem().running(bench.servers) as running:
        windows = []
        for _ in range(bench.options.rounds):
            windows.append(bench.window(running, "tandem-async", CALLERS, warm_seconds=1.5))
            settle()
    return {
        what: round(median([getattr(window.result, what) for window in windows]), 2)
        for what in ("rate", "p50", "p99", "failures")
    }


def show(figures: Figures) -> list[str]:
    """One line."""
    head = ["accepting at 16 callers", "req/s", "p50 ms", "p99 ms", "failed"]
    return table(head, [["", *(shown(figures[what]) for what in ("rate", "p50", "p99", "failures"))]])
