"""How many rows a call of the model brings under more and more callers: nobody sets it, the load does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench import place
from bench.statistics import median, shown
from bench.tables import table
from bench.tandem import tandem
from bench.window import LoadFailed

if TYPE_CHECKING:
    from bench.bench import Bench, Figures

CALLERS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
CALLS = place.PLACE / "calls"


def measure(bench: Bench) -> Figures:
    """Rows a call and requests a second at each load."""
    points: list[dict[str, float]] = []
    with tandem(exchange="tandem-counted", SERVED_MODELS="counted", BENCH_CALLS=str(CALLS)).running(
        bench.servers
    ) as running:
        for callers in CALLERS:
            CALLS.unlink(missing_ok=True)
            result = bench.window(running, "tandem-counted", callers).result
            if result.failures:
                raise LoadFailed(f"{result.failures} of {callers} callers' requests failed: {result.failure}")
            rows = [int(line) for line in CALLS.read_text(encoding="ascii").split()]
            points.append(
                {
                    "callers": callers,
                    "rate": round(result.rate, 1),
                    "mean": round(sum(rows) / len(rows), 2),
                    "median": median(rows),
                    "largest": max(rows),
                }
            )
    return {"points": points}


def show(figures: Figures) -> list[str]:
    """A line for each load."""
    rows = [
        [
            f"{point['callers']:,.0f}",
            shown(point["rate"]),
            shown(point["mean"]),
            f"{point['median']:g}",
            f"{point['largest']:g}",
        ]
        for point in figures["points"]
    ]
    return table(["callers", "req/s", "rows a call, mean", "median", "largest"], rows)
