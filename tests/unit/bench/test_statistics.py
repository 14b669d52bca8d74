"""Percentiles are values that were measured; ratios are taken within rounds."""

from __future__ import annotations

import pytest

from bench.statistics import Ratio, paired, percentile, shown


@pytest.mark.parametrize(("part", "value"), [(0, 1), (50, 50), (99, 99), (99.5, 100), (100, 100)])
def test_a_percentile_is_the_nearest_rank(part: float, value: float) -> None:
    """The least value that so many per cent do not exceed."""
    assert percentile(list(range(1, 101)), part) == value


def test_one_value_is_every_percentile() -> None:
    """Of a single answer everything is known."""
    assert [percentile([7.0], part) for part in (1, 50, 99)] == [7.0] * 3


def test_a_ratio_pairs_the_rounds() -> None:
    """A round in which both were half as fast changes no ratio."""
    assert paired([100, 50, 120], [10, 5, 10]) == Ratio(10, 10, 12)
    assert str(paired([100, 50, 120], [10, 5, 10])) == "10.0 (10.0-12.0)"


def test_unpaired_rounds_are_refused() -> None:
    """A round that one of the two lacks would pair others' rounds."""
    with pytest.raises(ValueError, match="argument 2 is shorter"):
        paired([1, 2], [1])


@pytest.mark.parametrize(
    ("value", "text"), [(1234.5, "1,234"), (12.34, "12.3"), (1.234, "1.23"), (0.0123, "0.012"), (0, "0")]
)
def test_figures_have_three_digits(value: float, text: str) -> None:
    """No more than the measurement is worth."""
    assert shown(value) == text
