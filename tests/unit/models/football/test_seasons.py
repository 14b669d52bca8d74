"""When a new season begins."""

from collections import Counter
from datetime import date, timedelta

import pytest

from models.football.fixture import Fixture
from models.football.history import History
from models.football.made_up_league import MadeUpLeague
from models.football.seasons import SeasonCalendar, seasons_of

START = date(2025, 8, 1)


def fixtures(*matches: tuple[int, str, str]) -> list[Fixture]:
    """Fixtures on the given days after the start."""
    return [Fixture(START + timedelta(days=day), home, away) for day, home, away in matches]


@pytest.mark.parametrize(
    ("matches", "seasons"),
    [
        ([(0, "A", "B"), (7, "B", "A")], [0, 0]),
        ([(0, "A", "B"), (100, "B", "A")], [0, 0]),
        ([(0, "A", "B"), (40, "A", "B")], [0, 1]),
        ([(0, "A", "B"), (40, "C", "B")], [0, 1]),
        ([(0, "A", "B"), (7, "C", "B")], [0, 0]),
        ([(0, "A", "B"), (1, "C", "D"), (40, "B", "C"), (41, "A", "B")], [0, 0, 0, 1]),
    ],
    ids=["same", "long break", "pairing again", "new team", "no break", "told a day late"],
)
def test_a_season_begins_after_a_break_with_something_new(
    matches: list[tuple[int, str, str]], seasons: list[int]
) -> None:
    """A break alone does not begin a season; a new team or a repeated pairing after one does."""
    assert seasons_of(fixtures(*matches)) == seasons


def test_divisions_have_seasons_of_their_own() -> None:
    """What one division does says nothing of another on the same day."""
    first, second = fixtures((0, "A", "B"), (40, "A", "B"))
    other = Fixture(second.match_date, "C", "D", "E1")
    assert seasons_of([first, second, other]) == [0, 1, 0]


def test_newcomers_are_those_who_did_not_play_last_season() -> None:
    """In the first season known nobody is a newcomer; later, whoever was not there the season before."""
    calendar = SeasonCalendar()
    first, second = fixtures((0, "A", "B"), (40, "A", "C"))
    calendar.advance(first.match_date, [first])
    assert not calendar.is_newcomer("A")
    assert calendar.advance(second.match_date, [second])
    assert calendar.is_newcomer("C")
    assert not calendar.is_newcomer("A")


def test_the_made_up_league_has_six_seasons(league: MadeUpLeague) -> None:
    """Five whole seasons of 380 matches and 24 rounds of a sixth are told apart."""
    seasons = Counter(seasons_of(league.history.played))
    assert seasons == {**dict.fromkeys(range(5), 380), 5: 240}


def test_real_seasons_are_told_apart(real_history: History) -> None:
    """Ten seasons with a pandemic and a winter World Cup among them are ten seasons."""
    seasons = Counter(seasons_of(real_history.played))
    assert [seasons[index] for index in range(9)] == [380] * 9
    assert set(seasons) == set(range(10))
