"""How long accepted work rests beside callers: as one more of those who wait."""

from __future__ import annotations

import math

import pytest

from worker.accepted_share import AROUND, COMING_SECONDS, MOST_WAITING, AcceptedShare


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, as the tests set it."""
    clock = [100.0]
    monkeypatch.setattr("worker.accepted_share.time.monotonic", lambda: clock[0])
    return clock


def callers(share: AcceptedShare, clock: list[float], waiting: int) -> None:
    """So many wait all the time, for long enough to be known."""
    for _ in range(100):
        clock[0] += 0.1
        share.caller_came()
        share.ran(0.01, 0.1 * waiting)


def test_without_callers_nothing_rests(clock: list[float]) -> None:
    """And whatever fits goes into a batch."""
    share = AcceptedShare()
    share.ran(10, 0)
    assert (share.rest_seconds(), share.rows_beside(1)) == (0, math.inf)
    assert share.is_due(clock[0] - COMING_SECONDS)
    assert not share.is_due(clock[0])


@pytest.mark.parametrize("waiting", [1, 9, 64])
def test_each_caller_counts_as_much_as_all_accepted_work(clock: list[float], waiting: int) -> None:
    """Nine who wait, and for each second of its own it rests nine times as long as that costs in all."""
    share = AcceptedShare()
    callers(share, clock, waiting)
    share.ran(0.01, 0)
    assert share.rest_seconds() == pytest.approx(0.01 * AROUND * waiting, rel=0.06)
    assert share.rows_beside(2 * waiting) == pytest.approx(2, rel=0.06)
    clock[0] += share.rest_seconds()
    assert share.rest_seconds() == 0


def test_it_goes_on_however_many_wait(clock: list[float]) -> None:
    """Ten thousand callers do not end it."""
    share = AcceptedShare()
    callers(share, clock, 10_000)
    share.ran(0.01, 0)
    assert share.rest_seconds() == pytest.approx(0.01 * AROUND * MOST_WAITING)
    assert not share.is_due(0)
    clock[0] += 0.01 * AROUND * MOST_WAITING
    assert share.is_due(0)


def test_a_caller_now_and_then_costs_it_next_to_nothing(clock: list[float]) -> None:
    """One a second who waits for a hundredth of it."""
    share = AcceptedShare()
    for _ in range(20):
        clock[0] += 1
        share.caller_came()
        share.ran(0.01, 0.01)
    share.ran(0.1, 0)
    assert share.rest_seconds() < 0.005
    clock[0] += COMING_SECONDS
    assert share.rest_seconds() == 0
