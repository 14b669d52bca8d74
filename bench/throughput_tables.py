"""The throughput results as Markdown: a table for each number of callers, and one of memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.statistics import median, shown
from bench.tables import OURS, ratio, table, values

if TYPE_CHECKING:
    from bench.bench import Figures


def show(figures: Figures) -> list[str]:
    """Requests a second and latency of each system under each load, and its cost."""
    loads = sorted({int(load) for system in figures["systems"].values() for load in system["loads"]})
    lines: list[str] = []
    for callers in loads:
        rows = [_row(figures, name, system["title"], callers) for name, system in figures["systems"].items()]
        head = ["", "req/s", "Tandem is … times as fast", "p50 ms", "p99 ms", "CPU s / 1,000", "failed"]
        lines += [f"**{callers} caller{'s' if callers > 1 else ''}**", "", *table(head, rows), ""]
    return [*lines, *_costs(figures["systems"]), "", *_left_out(figures)]


def _row(figures: Figures, name: str, title: str, callers: int) -> list[str]:
    if not values(figures, name, callers, "rate"):
        return [title, "no right answer in the time", *[""] * 5]
    rate, p50, p99, cpu, servers = (
        median(values(figures, name, callers, what)) for what in ("rate", "p50", "p99", "cpu", "servers_cpu")
    )
    faster = ratio(figures, OURS, name, callers, "rate") if name != OURS else None
    cost = shown(cpu) + (f" + {shown(servers)}" if servers else "")
    failed = sum(values(figures, name, callers, "failures"))
    return [title, shown(rate), str(faster or "—"), shown(p50), shown(p99), cost, f"{failed:.0f}"]


def _costs(systems: dict[str, Any]) -> list[str]:
    rows = [
        [
            system["title"],
            shown(median(system["memory_mb"])),
            shown(median(system["servers_mb"])) if any(system["servers_mb"]) else "—",
        ]
        for system in systems.values()
    ]
    return table(["", "memory MB", "broker and store MB"], rows)


def _left_out(figures: Figures) -> list[str]:
    return [f"Left out: {name}: {reason.splitlines()[-1]}" for name, reason in figures["left_out"].items()]
