"""Upcoming matches as they go into the match store."""

from dataclasses import replace

import pytest

from models.football.features import FEATURES, features_of
from models.football.history import History
from models.football.made_up_league import MadeUpLeague
from models.football.publishing import upcoming_matches
from models.football.results_csv import InvalidResults
from tandem.backplane.match_store import match_id_of


def test_every_upcoming_match_has_features_and_their_day(league: MadeUpLeague) -> None:
    """Each match bears its number, its teams, the day of its features and all features by name."""
    matches = upcoming_matches(league.history)
    assert [match.match_id for match in matches] == list(range(1, len(matches) + 1))
    assert {match.as_of for match in matches} == {league.history.as_of}
    assert all(tuple(match.features) == FEATURES for match in matches)


def test_features_are_those_of_all_results(league: MadeUpLeague) -> None:
    """The first match to come is described by everything played before it."""
    first = league.history.upcoming[0]
    expected = features_of([*league.history.played, first])[-1]
    assert upcoming_matches(league.history)[0].features == expected


def test_without_a_number_of_its_own_a_match_has_a_stable_one(league: MadeUpLeague) -> None:
    """The id is made from date and teams, so it is the same on the next publication."""
    first = replace(league.history.upcoming[0], match_id=None)
    [match] = upcoming_matches(replace(league.history, upcoming=(first,)))
    assert match.match_id == match_id_of(first.match_date, first.home_team, first.away_team)


def test_one_number_for_two_matches_is_refused(league: MadeUpLeague) -> None:
    """Two fixtures with the same match_id cannot both be looked up by it."""
    first, second = league.history.upcoming[:2]
    twice = replace(league.history, upcoming=(first, replace(second, match_id=first.match_id)))
    with pytest.raises(InvalidResults, match="match_id 1 is given to two matches"):
        upcoming_matches(twice)


def test_real_fixtures_are_published(real_history: History) -> None:
    """All 89 fixtures of the real season's rest have ids of their own and no missing feature."""
    matches = upcoming_matches(real_history)
    assert len(matches) == 89
    assert len({match.match_id for match in matches}) == 89
    assert not real_history.unknown_teams
    assert all(value is not None for match in matches for value in match.features.values())
