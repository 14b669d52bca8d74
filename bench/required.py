"""The figures that are required, against what was measured: met or not, said plainly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from bench.statistics import Ratio, median, paired, shown
from bench.tables import OURS, ratio, table, values

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.bench import Figures

All = dict[str, "Figures"]
Measured = Ratio | float | None
LESS = True
TIMES = "times"


class Required(NamedTuple):
    """One figure, at least (or `at_most`) `bound`; `measured` finds it in the results, None without."""

    what: str
    bound: float
    measured: Callable[[All], Measured]
    at_most: bool = False
    unit: str = TIMES

    def row(self, found: All) -> list[str]:
        """What, required, measured, met."""
        value = self.measured(found)
        required = f"{'≤' if self.at_most else '≥'} {self.bound:g} {self.unit}"
        if value is None:
            return [self.what, required, "not measured", ""]
        middle = value.median if isinstance(value, Ratio) else value
        met = middle <= self.bound if self.at_most else middle >= self.bound
        text = str(value) if isinstance(value, Ratio) else shown(value)
        return [self.what, required, text, "met" if met else "**not met**"]


def show(found: All) -> list[str]:
    """The table."""
    return table(["", "required", "measured", ""], [one.row(found) for one in REQUIRED])


def _against(peer: str, callers: int, what: str = "rate") -> Callable[[All], Measured]:
    def measured(found: All) -> Measured:
        figures = found.get("throughput")
        return None if figures is None else ratio(figures, OURS, peer, callers, what)

    return measured


def _memory(peer: str) -> Callable[[All], Measured]:
    def measured(found: All) -> Measured:
        systems = found.get("throughput", {}).get("systems", {})
        if not {OURS, peer} <= set(systems):
            return None
        return paired(systems[OURS]["memory_mb"], systems[peer]["memory_mb"])

    return measured


def _own(callers: int, what: str) -> Callable[[All], Measured]:
    def measured(found: All) -> Measured:
        figures = found.get("throughput")
        ours = values(figures, OURS, callers, what) if figures is not None else []
        return median(ours) if ours else None

    return measured


def _p99_by_p50(callers: int) -> Callable[[All], Measured]:
    def measured(found: All) -> Measured:
        figures = found.get("throughput")
        longest, middle = (
            values(figures, OURS, callers, what) if figures is not None else [] for what in ("p99", "p50")
        )
        return paired(longest, middle) if middle else None

    return measured


def _result(name: str, *path: str) -> Callable[[All], Measured]:
    def measured(found: All) -> Measured:
        value: Any = found.get(name)
        for key in path:
            value = None if value is None else value.get(key)
        if isinstance(value, list):
            return Ratio(*value)
        return float(value) if value is not None else None

    return measured


REQUIRED = [
    Required("64 callers, p50", 50, _own(64, "p50"), LESS, "ms"),
    Required("64 callers, p99", 200, _own(64, "p99"), LESS, "ms"),
    Required("accepting at 16 callers, p99", 20, _result("accepting", "p99"), LESS, "ms"),
    Required("naive queue design, 64 callers, req/s", 10, _against("naive", 64)),
    Required("naive queue design, 16 callers, req/s", 6, _against("naive", 16)),
    Required("naive queue design, 1 caller, p50", 0.65, _against("naive", 1, "p50"), LESS),
    Required("naive queue design, 64 callers, p99", 0.15, _against("naive", 64, "p99"), LESS),
    Required("naive queue design, 64 callers, CPU per 1,000", 0.1, _against("naive", 64, "cpu"), LESS),
    Required("naive queue design, memory", 0.55, _memory("naive"), LESS),
    Required("mlflow serve, 64 callers, req/s", 20, _against("mlflow-1", 64)),
    Required("mlflow serve, 16 callers, req/s", 13, _against("mlflow-1", 16)),
    Required("mlflow serve, 1 caller, p50", 0.75, _against("mlflow-1", 1, "p50"), LESS),
    Required("mlflow serve with 2 processes, 64 callers, req/s", 6, _against("mlflow-2", 64)),
    Required("BentoML adaptive, 64 callers, req/s", 3.5, _against("bentoml-adaptive", 64)),
    Required("BentoML adaptive, 16 callers, req/s", 2.5, _against("bentoml-adaptive", 16)),
    Required(
        "BentoML adaptive, 64 callers, CPU per 1,000", 0.4, _against("bentoml-adaptive", 64, "cpu"), LESS
    ),
    Required("LitServe batching, 64 callers, req/s", 2, _against("litserve", 64)),
    Required("MLServer v2 batching, 64 callers, req/s", 2, _against("mlserver", 64)),
    Required("an empty FastAPI route, 64 callers, req/s", 0.3, _against("empty", 64)),
    Required(
        "bulk, 10,000 rows: time of one naive task of records by ours", 3, _result("bulk", "task_of_records")
    ),
    Required("bulk, 10,000 rows: time of a naive task per row by ours", 250, _result("bulk", "task_per_row")),
    Required("cold start: FastAPI + Celery + boto3", 0.55, _result("cold_start", "against_naive"), LESS),
    Required("cold start: bare FastAPI + Mangum", 1.4, _result("cold_start", "against_bare"), LESS),
    Required(
        "cold start as built, under Lambda's client: bare FastAPI + Mangum",
        1.4,
        _result("built_start", "against_bare"),
        LESS,
    ),
    Required("two workers by one, a model of 20 ms a batch", 1.8, _result("scaling", "two_by_one")),
    Required(
        "req/s with 100,000 tasks queued by an empty queue", 0.9, _result("queue_growth", "queued_by_empty")
    ),
    Required("Redis per kept result", 1.5, _result("queue_growth", "kb_per_result"), LESS, "kB"),
    Required(
        "sync p99 under a flood of accepted work by quiet", 2, _result("flood", "flooded_by_quiet"), LESS
    ),
    Required("1 caller, p99 by p50", 3, _p99_by_p50(1), LESS),
    Required("answers other than the unbatched one, of 10,000", 0, _result("equality", "wrong"), LESS, ""),
    Required("10,000 waiting callers, failed", 0, _result("waiting_callers", "failures"), LESS, ""),
    Required("memory growth over the run", 5, _result("memory", "growth_percent"), LESS, "%"),
]
