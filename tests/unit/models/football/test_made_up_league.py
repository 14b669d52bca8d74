"""The made-up league, and what the model learns from it."""

from collections import Counter
from datetime import date, timedelta

import numpy as np

from models.football.evaluation import Evaluation, log_losses, newest, outcomes_of
from models.football.made_up_league import MadeUpLeague, made_up_league
from tests.unit.models.football.conftest import AS_OF


def test_same_seed_and_day_same_league(league: MadeUpLeague) -> None:
    """The league is a function of seed and day: again the same, with another seed another."""
    assert made_up_league(AS_OF).history == league.history
    assert made_up_league(AS_OF, seed=1).history.digest != league.history.digest


def test_another_day_moves_the_league() -> None:
    """A day later everything is a day later, so upcoming matches are always ahead."""
    today, tomorrow = made_up_league(AS_OF).history, made_up_league(AS_OF + timedelta(days=1)).history
    assert [match.match_date + timedelta(days=1) for match in today.upcoming] == [
        match.match_date for match in tomorrow.upcoming
    ]


def test_results_end_and_fixtures_begin_at_as_of(league: MadeUpLeague) -> None:
    """Everything up to the day is played, everything after it is not, and both are in order."""
    history = league.history
    days = [match.match_date for match in (*history.played, *history.upcoming)]
    assert days == sorted(days)
    assert history.played[-1].match_date <= AS_OF < history.upcoming[0].match_date
    assert all(match.outcome is not None for match in history.played)
    assert all(match.outcome is None for match in history.upcoming)


def test_upcoming_matches_are_numbered_from_one(league: MadeUpLeague) -> None:
    """Match 42 exists."""
    ids = [match.match_id for match in league.history.upcoming]
    assert ids == list(range(1, len(ids) + 1))
    assert 42 in ids


def test_it_is_called_made_up_wherever_it_shows(league: MadeUpLeague) -> None:
    """Every team says so, and so does the line for logs and tags."""
    teams = {match.home_team for match in league.history.upcoming}
    assert len(teams) == 20
    assert all(team.endswith("(made up)") for team in teams)
    assert "made-up" in league.history.description


def test_every_pairing_is_played_once_a_season(league: MadeUpLeague) -> None:
    """A season is a double round robin: each team at home against each other once."""
    season = league.history.played[:380]
    pairings = Counter((match.home_team, match.away_team) for match in season)
    assert len(pairings) == 380
    for start in range(0, 380, 10):
        assert (
            len({team for match in season[start : start + 10] for team in (match.home_team, match.away_team)})
            == 20
        )


def test_teams_play_at_home_and_away_in_turn(league: MadeUpLeague) -> None:
    """In any ten rounds of a season every team is at home four to six times."""
    for start in range(0, 290, 10):
        at_home = Counter(match.home_team for match in league.history.played[start : start + 100])
        assert set(at_home.values()) <= {4, 5, 6}


def test_outcomes_follow_the_true_chances(league: MadeUpLeague) -> None:
    """Of 2,140 matches the outcomes are as frequent as their true chances say."""
    outcomes = outcomes_of(league.history.played)
    shares = np.bincount(outcomes, minlength=3) / len(outcomes)
    assert np.abs(shares - league.true_played.mean(axis=0)).max() < 0.03


def test_the_model_comes_close_to_the_truth(league: MadeUpLeague, evaluation: Evaluation) -> None:
    """Trained on the league, the model beats the prior clearly and is near the best there can be."""
    start = newest(league.history.played)
    best = log_losses(league.true_played[start:], evaluation.outcomes).mean()
    metrics = evaluation.metrics()
    assert best < metrics["log_loss"] < best + 0.02
    assert metrics["log_loss"] < metrics["prior_log_loss"] - 0.03


def test_the_default_seed_is_not_a_lucky_one() -> None:
    """Years ahead the league is still made, without a clash of dates."""
    assert made_up_league(date(2031, 1, 31)).history.upcoming[0].match_date == date(2031, 2, 1)
