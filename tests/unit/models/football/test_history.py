"""What counts as played and what as to come on a given day."""

from datetime import date

import pytest

from models.football.fixture import Fixture, SideCounts
from models.football.history import history_of
from models.football.results_csv import InvalidResults


def played(day: int, home: str, away: str, goals: tuple[int, int] = (1, 0), division: str = "") -> Fixture:
    """A result in March 2026."""
    return Fixture(date(2026, 3, day), home, away, division, SideCounts(goals[0]), SideCounts(goals[1]))


def to_come(day: int, home: str, away: str) -> Fixture:
    """A fixture in March 2026."""
    return Fixture(date(2026, 3, day), home, away)


def test_as_of_is_the_day_of_the_last_result() -> None:
    """Unless told, results are known up to the last one, and fixtures from that day on are to come."""
    history = history_of([played(2, "A", "B"), played(1, "C", "D")], [to_come(5, "A", "C")])
    assert history.as_of == date(2026, 3, 2)
    assert [match.match_date.day for match in history.played] == [1, 2]
    assert [match.match_date.day for match in history.upcoming] == [5]


def test_later_results_become_fixtures() -> None:
    """An earlier as_of takes the scores after it away and leaves the fixtures."""
    history = history_of([played(1, "A", "B"), played(8, "C", "D")], [], as_of=date(2026, 3, 4))
    assert [match.key for match in history.played] == [played(1, "A", "B").key]
    assert history.upcoming == (to_come(8, "C", "D"),)


def test_today_does_not_make_old_results_fresh() -> None:
    """With today alone the day is that of the last result by then, so that features show their true age."""
    results = [played(1, "A", "B"), played(3, "B", "A")]
    assert history_of(results, [], today=date(2026, 6, 1)).as_of == date(2026, 3, 3)
    assert history_of(results, [], today=date(2026, 3, 2)).as_of == date(2026, 3, 1)


def test_a_played_fixture_is_not_to_come() -> None:
    """A fixture whose result is known, and one that was due before as_of and was not played, are left out."""
    fixtures = [to_come(2, "A", "B"), to_come(1, "C", "D"), to_come(2, "C", "D")]
    history = history_of([played(2, "A", "B")], fixtures)
    assert history.upcoming == (to_come(2, "C", "D"),)


def test_the_same_result_twice_is_one() -> None:
    """Files may overlap; files that contradict each other are refused."""
    assert len(history_of([played(1, "A", "B"), played(1, "A", "B")], []).played) == 1
    with pytest.raises(InvalidResults, match="A - B on 2026-03-01: two different results"):
        history_of([played(1, "A", "B"), played(1, "A", "B", (2, 0))], [])


def test_a_result_stands_over_a_fixture_of_the_same_match() -> None:
    """An older file that still lists a match as unplayed does not undo its result."""
    history = history_of([played(1, "A", "B"), to_come(1, "A", "B")], [])
    assert history.played == (played(1, "A", "B"),)


def test_fixtures_find_their_division() -> None:
    """A fixture without Div is of the division its teams last played in."""
    results = [played(1, "A", "B", division="E0"), played(1, "C", "D", division="E1")]
    history = history_of(results, [to_come(5, "D", "C"), to_come(6, "B", "A")])
    assert [match.division for match in history.upcoming] == ["E1", "E0"]


def test_nothing_played_is_refused() -> None:
    """Files without a played match, or none by as_of, cannot be used."""
    with pytest.raises(InvalidResults, match="no played match"):
        history_of([to_come(1, "A", "B")], [])
    with pytest.raises(InvalidResults, match="no match was played by 2026-03-01"):
        history_of([played(2, "A", "B")], [], as_of=date(2026, 3, 1))


def test_the_digest_tells_the_data() -> None:
    """Same results, same digest, in whatever order they come; one goal more, another digest."""
    first, second = played(1, "A", "B"), played(2, "C", "D")
    assert history_of([first, second], []).digest == history_of([second, first], []).digest
    assert history_of([first], []).digest != history_of([played(1, "A", "B", (2, 0))], []).digest


def test_teams_without_a_result_are_named() -> None:
    """A team to come that has never played is told: it may be new, or spelt differently."""
    assert history_of([played(1, "A", "B")], [to_come(5, "A", "Bee")]).unknown_teams == ["Bee"]
