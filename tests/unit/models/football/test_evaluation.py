"""Walking forward, and what the figures mean."""

from dataclasses import replace

import numpy as np
import pytest

from models.football.evaluation import (
    Evaluation,
    log_losses,
    newest,
    outcomes_of,
    paired_interval,
    walk_forward,
)
from models.football.fixture import SideCounts
from models.football.made_up_league import MadeUpLeague
from models.football.results_csv import InvalidResults
from models.football.yardstick import yardstick_features
from tests.unit.models.football.conftest import Trainset


def test_the_newest_matches_are_two_seasons(league: MadeUpLeague) -> None:
    """Of four seasons or more the last two are evaluated; of fewer the newest third, in whole days."""
    played = league.history.played
    assert newest(played) == 1520
    start = newest(played[:380])
    assert 245 <= start <= 254
    assert played[start - 1].match_date < played[start].match_date


def test_figures_of_a_perfect_and_of_a_clueless_model() -> None:
    """Log-loss, accuracy and Brier score have their textbook values at both ends."""
    outcomes = np.array([0, 1, 2, 0])
    sure, clueless = np.eye(3)[outcomes], np.full((4, 3), 1 / 3)
    metrics = Evaluation(outcomes, sure, clueless, clueless).metrics()
    assert (metrics["log_loss"], metrics["accuracy"], metrics["brier"]) == (0.0, 1.0, 0.0)
    assert metrics["yardstick_log_loss"] == pytest.approx(np.log(3))
    assert metrics["yardstick_difference"] == pytest.approx(-np.log(3))
    assert log_losses(clueless, outcomes) == pytest.approx(np.full(4, np.log(3)))


def test_the_interval_covers_what_it_should() -> None:
    """The bootstrap interval of a mean is that of the normal approximation, and the same each time."""
    differences = np.random.default_rng(3).normal(-0.01, 0.2, 600)
    low, high = paired_interval(differences)
    half = 1.96 * differences.std() / np.sqrt(600)
    assert (low, high) == pytest.approx((differences.mean() - half, differences.mean() + half), abs=0.002)
    assert (low, high) == paired_interval(differences)


def test_no_prediction_sees_its_own_day(league: MadeUpLeague, trainset: Trainset) -> None:
    """Turning the results of the last block around leaves every prediction of that block as it was."""
    played = league.history.played[:900]
    turned = [
        replace(match, home=SideCounts(0), away=SideCounts(5)) if index >= 880 else match
        for index, match in enumerate(played)
    ]
    frame = trainset.frame[:900]
    before, after = walk_forward(played, frame), walk_forward(turned, frame)
    assert np.array_equal(before.model, after.model)
    assert np.array_equal(before.prior, after.prior)


def test_the_yardstick_sees_earlier_days_alone(league: MadeUpLeague) -> None:
    """The yardstick's features of a match do not change with its result, nor with one of its day."""
    played = league.history.played[:100]
    day = played[-1].match_date
    turned = [
        replace(match, home=SideCounts(0), away=SideCounts(5)) if match.match_date == day else match
        for match in played
    ]
    assert np.array_equal(yardstick_features(played), yardstick_features(turned))


def test_too_few_matches_are_refused(league: MadeUpLeague, trainset: Trainset) -> None:
    """A hundred matches are no league to learn from, and the answer says how many are."""
    with pytest.raises(InvalidResults, match="100 matches are too few"):
        walk_forward(league.history.played[:100], trainset.frame[:100])


def test_outcomes_are_the_classes(league: MadeUpLeague) -> None:
    """0 is a home win, 1 a draw, 2 an away win."""
    for match, outcome in zip(league.history.played[:50], outcomes_of(league.history.played), strict=False):
        assert match.home is not None
        assert match.away is not None
        assert np.sign(match.home.goals - match.away.goals) == 1 - outcome
