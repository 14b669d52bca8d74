"""What a batch costs, learned from those that ran: a seconds a row and b seconds a call."""

from __future__ import annotations

import pytest

from worker.batch_cost import BatchCost


def learned(*batches: tuple[int, float]) -> BatchCost:
    """A cost that has seen these batches of rows and seconds."""
    cost = BatchCost()
    for rows, seconds in batches:
        cost.learn(rows, seconds)
    return cost


def test_before_anything_was_learned_every_size_is_free() -> None:
    """No deadline stands in the way of a first batch."""
    cost = BatchCost()
    assert cost.of(100) == 0
    assert cost.rows_within(0.001, 256) == 256


def test_two_sizes_give_the_line_through_both() -> None:
    """0.2 s a call and 0.01 s a row."""
    cost = learned((10, 0.3), (50, 0.7))
    assert cost.of(10) == pytest.approx(0.3)
    assert cost.of(100) == pytest.approx(1.2)


def test_batches_of_one_size_give_their_mean() -> None:
    """Nothing tells rows from calls."""
    cost = learned((8, 0.1), (8, 0.3))
    assert cost.of(8) == pytest.approx(cost.of(80))
    assert 0.1 < cost.of(8) < 0.3


def test_what_ran_lately_counts_more() -> None:
    """A model that has become slower is known to be, after some batches."""
    cost = learned(*[(1, 0.01), (100, 0.02)] * 50, *[(1, 1.0), (100, 2.0)] * 150)
    assert cost.of(100) == pytest.approx(2.0, rel=0.05)


def test_larger_batches_that_were_faster_do_not_cost_less_than_nothing() -> None:
    """By chance a call of many rows is fast; a row still costs nothing and never gives time back."""
    cost = learned((10, 1.0), (100, 0.1))
    assert cost.of(1000) >= 0
    assert cost.of(1000) == cost.of(10)


def test_batches_grow_by_doubling() -> None:
    """A model that takes a second a row is found out with two rows, and not with 256."""
    cost = learned()
    assert cost.rows_adding(0.5, 256) == 1
    cost.learn(1, 0.001)
    assert cost.rows_adding(0.5, 256) == 2
    cost.learn(2, 0.001)
    assert cost.rows_adding(0.5, 3) == 3
    assert learned((1, 1.0), (2, 2.0)).rows_adding(0.5, 256) == 1


@pytest.mark.parametrize(
    ("seconds", "rows"), [(-1.0, 1), (0.0, 1), (0.2, 1), (0.3, 10), (0.7, 50), (1000.0, 256)]
)
def test_rows_that_fit_into_the_time_that_is_left(seconds: float, rows: int) -> None:
    """At least one, at most what is asked for."""
    assert learned((10, 0.3), (50, 0.7)).rows_within(seconds + 1e-9, 256) == rows
