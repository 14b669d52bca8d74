"""How much accepted work may take beside callers: as much as one more of those who wait."""

from __future__ import annotations

import pytest

from worker.accepted_share import AROUND, BESIDE_SECONDS, COMING_SECONDS, MOST_WAITING, AcceptedShare


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, as the tests set it."""
    clock = [100.0]
    monkeypatch.setattr("worker.accepted_share.time.monotonic", lambda: clock[0])
    return clock


def callers(share: AcceptedShare, clock: list[float], waiting: float) -> None:
    """So many wait all the time, for long enough to be known."""
    for _ in range(1000):
        clock[0] += 0.01
        share.caller_came()
        share.callers_waited(0.01 * waiting)


def test_without_callers_nothing_rests(clock: list[float]) -> None:
    """And what has been in hand for long is due."""
    share = AcceptedShare()
    share.ran_alone(10)
    assert (share.rest_seconds(), share.riding_seconds()) == (0, BESIDE_SECONDS)
    assert share.is_due(clock[0] - COMING_SECONDS)
    assert not share.is_due(clock[0])


@pytest.mark.parametrize("waiting", [1, 9, 64])
def test_each_caller_counts_as_much_as_all_accepted_work(clock: list[float], waiting: int) -> None:
    """Nine who wait, and for each second of its own it rests nine times as long as that costs in all."""
    share = AcceptedShare()
    callers(share, clock, waiting)
    share.ran_alone(0.01)
    assert share.rest_seconds() == pytest.approx(0.01 * AROUND * waiting, rel=0.01)
    clock[0] += share.rest_seconds()
    assert share.rest_seconds() == 0


@pytest.mark.parametrize("waiting", [1, 9, 64])
def test_rows_ride_along_for_what_has_been_earned(clock: list[float], waiting: int) -> None:
    """By the same measure: what went by since they last rode, by what the callers' waiting weighs."""
    share = AcceptedShare()
    callers(share, clock, waiting)
    share.rode(share.riding_seconds())
    assert share.riding_seconds() == pytest.approx(0)
    clock[0] += 0.001
    assert share.riding_seconds() == pytest.approx(0.001 / AROUND / waiting, rel=0.01)
    share.rode(2 * share.riding_seconds())
    assert share.riding_seconds() < 0
    clock[0] += 0.001
    assert share.riding_seconds() == pytest.approx(0, abs=1e-5)


def test_what_was_earned_is_not_saved_up(clock: list[float]) -> None:
    """After a long while without any to take along, one batch takes no more, and nor does the next."""
    share = AcceptedShare()
    callers(share, clock, 9)
    assert share.riding_seconds() == BESIDE_SECONDS
    share.rode(BESIDE_SECONDS)
    assert share.riding_seconds() == pytest.approx(0)


def test_while_rows_ride_along_there_is_no_batch_of_their_own(clock: list[float]) -> None:
    """For as long as the last one would have to be earned."""
    share = AcceptedShare()
    callers(share, clock, 9)
    share.ran_alone(0.01)
    clock[0] += share.rest_seconds() - 0.001
    share.rode(BESIDE_SECONDS)
    assert share.rest_seconds() == pytest.approx(0.01 * AROUND * 9, rel=0.4)  # fewer, as none has come since
    clock[0] += share.rest_seconds()
    assert share.rest_seconds() == 0


def test_it_goes_on_however_many_wait(clock: list[float]) -> None:
    """Ten thousand callers do not end it."""
    share = AcceptedShare()
    callers(share, clock, 10_000)
    share.ran_alone(0.01)
    assert share.rest_seconds() == pytest.approx(0.01 * AROUND * MOST_WAITING)
    assert not share.is_due(0)
    clock[0] += 0.01 * AROUND * MOST_WAITING
    assert share.is_due(0)
    assert share.riding_seconds() > 0


def test_a_caller_now_and_then_costs_it_next_to_nothing(clock: list[float]) -> None:
    """One a second who waits for a hundredth of it."""
    share = AcceptedShare()
    for _ in range(20):
        clock[0] += 1
        share.caller_came()
        share.callers_waited(0.01)
    share.ran_alone(0.1)
    assert share.rest_seconds() < 0.01
    clock[0] += COMING_SECONDS
    assert share.rest_seconds() == 0
