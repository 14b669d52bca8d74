"""Medians, percentiles, and ratios of paired rounds with their spread."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence


class Ratio(NamedTuple):
    """The median of the rounds' ratios, and the least and greatest of them."""

    median: float
    least: float
    greatest: float

    def __str__(self) -> str:
        return f"{shown(self.median)} ({shown(self.least)}-{shown(self.greatest)})"


def percentile(ordered: Sequence[float], part: float) -> float:
    """The value that `part` per cent of the ordered values do not exceed (nearest rank)."""
    return ordered[max(0, -int(-len(ordered) * part // 100) - 1)]


def median(values: Sequence[float]) -> float:
    """The middle value."""
    return statistics.median(values)


def paired(mine: Sequence[float], theirs: Sequence[float]) -> Ratio:
    """Mine by theirs, round by round: what both rounds of a pair suffered from the machine cancels out."""
    ratios = [one / other for one, other in zip(mine, theirs, strict=True)]
    return Ratio(median(ratios), min(ratios), max(ratios))


def shown(value: float) -> str:
    """Three significant digits, no exponent."""
    if abs(value) >= 100 or value == 0:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.3f}"
