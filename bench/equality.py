"""Whether batching changes an answer: 10,000 random rows from 64 callers, compared with the answers if alone.

The answers to compare with were computed one row at a time when the model was made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.tandem import tandem

if TYPE_CHECKING:
    from bench.bench import Bench, Figures

ROWS, CALLERS = 10_000, 64
LONGEST_SECONDS = 120


def measure(bench: Bench) -> Figures:
    """How many were asked, and how many were answered otherwise or not at all."""
    with tandem().running(bench.servers) as running:
        result = bench.window(
            running, "tandem", CALLERS, seconds=LONGEST_SECONDS, requests=ROWS, warm_seconds=0
        ).result
    missing = ROWS - result.requests - result.failures
    return {"asked": ROWS, "wrong": result.failures + missing, "failure": result.failure}


def show(figures: Figures) -> list[str]:
    """One line."""
    what = f": {figures['failure']}" if figures["failure"] else "."
    return [f"Of {figures['asked']:,} answers {figures['wrong']} differed{what}"]
