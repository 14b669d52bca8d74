"""What the tables of results have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.statistics import Ratio, paired

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.bench import Figures

OURS = "tandem"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table."""
    return ["| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rows)]


def values(figures: Figures, system: str, callers: int, what: str) -> list[float]:
    """One figure of a system under a load, a value a round; empty where that was not measured."""
    rounds = figures["systems"].get(system, {}).get("loads", {}).get(str(callers), [])
    return [one[what] for one in rounds]


def ratio(figures: Figures, mine: str, theirs: str, callers: int, what: str) -> Ratio | None:
    """`mine` by `theirs`, paired by round; None where one of them was not measured."""
    ours, others = (values(figures, system, callers, what) for system in (mine, theirs))
    return paired(ours, others) if ours and len(ours) == len(others) and all(others) else None
