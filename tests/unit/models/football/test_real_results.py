"""The promise of the model, on real results: better than the yardstick on matches it has not seen."""

import pytest

from models.football.evaluation import Evaluation, walk_forward
from models.football.features import features_of
from models.football.history import History
from models.football.outcome_model import feature_frame


@pytest.fixture(scope="module")
def metrics(real_history: History) -> dict[str, float]:
    """The figures of the walk over 2024/25 and 2025/26."""
    evaluation: Evaluation = walk_forward(
        real_history.played, feature_frame(features_of(real_history.played))
    )
    return evaluation.metrics()


def test_the_newest_two_seasons_are_evaluated(metrics: dict[str, float]) -> None:
    """380 matches of 2024/25 and 291 of 2025/26, after eight seasons to learn from."""
    assert metrics["evaluated_matches"] == 671


def test_the_model_beats_the_yardstick(metrics: dict[str, float]) -> None:
    """The 95 % interval of the paired difference in log-loss lies below zero."""
    assert metrics["yardstick_difference"] < -0.01
    assert metrics["yardstick_difference_high"] < 0
    assert metrics["log_loss"] < 1.0


def test_the_yardstick_is_an_honest_one(metrics: dict[str, float]) -> None:
    """The yardstick is well below the prior and no worse than the published one (1.0165)."""
    assert metrics["yardstick_log_loss"] < 1.0165 < metrics["prior_log_loss"]
