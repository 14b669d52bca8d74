"""Slices of a chunk grow while they are fast and shrink when they are slow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from worker.slice_size import MAX_ROWS, SLICE_SECONDS, SliceSize

if TYPE_CHECKING:
    from collections.abc import Callable


def run(size: SliceSize, seconds_of: Callable[[int], float], slices: int) -> list[int]:
    """The lengths of some slices of a model that takes so long."""
    lengths = []
    for _ in range(slices):
        lengths.append(size.rows())
        size.learn(lengths[-1], seconds_of(lengths[-1]))
    return lengths


def test_a_fast_model_soon_has_whole_chunks() -> None:
    """Beginning with one row, twice as many each time."""
    lengths = run(SliceSize(), lambda rows: 0.001 + rows * 1e-5, 13)
    assert lengths[:4] == [1, 2, 4, 8]
    assert lengths[-1] == MAX_ROWS


@pytest.mark.parametrize("per_row", [0.001, 0.02, 3.0])
def test_a_slow_model_holds_nobody_up(per_row: float) -> None:
    """No slice of its rows is much longer than it should be, but for the two that it takes to learn."""
    lengths = run(SliceSize(), lambda rows: 0.002 + rows * per_row, 30)
    assert max(lengths) * per_row <= max(2 * per_row, 2.5 * SLICE_SECONDS)


def test_a_model_that_is_slow_to_call_has_long_slices() -> None:
    """What counts is what the rows add: short slices would cost the call's own time more often."""
    assert run(SliceSize(), lambda rows: 0.3 + rows * 1e-5, 14)[-1] == MAX_ROWS


def test_rows_that_turn_slow_are_noticed() -> None:
    """One long slice, and it begins anew."""
    size = SliceSize()
    run(size, lambda rows: 0.001 + rows * 1e-6, 12)
    lengths = run(size, lambda rows: rows * 0.02, 8)
    assert lengths[:2] == [MAX_ROWS, 1]
    assert max(lengths[1:]) <= 8
