"""The features of a match: one function for training and serving, from earlier matches alone.

Matches are taken day by day and every match of a day is described before any of that day's results is learned,
so neither its own result nor a later one, nor one of the same day, can reach a feature.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby

from models.football.elo import Elo
from models.football.fixture import Fixture, SideCounts
from models.football.form import Form, both_sides
from models.football.scoring_rates import ScoringRates
from models.football.seasons import SeasonCalendar

Features = dict[str, float | None]

REQUIRED_FEATURES = (
    "home_elo",
    "away_elo",
    "home_expected_goals",
    "away_expected_goals",
    "home_expected_performance",
    "away_expected_performance",
)
OPTIONAL_FEATURES = (
    "home_expected_shots",
    "away_expected_shots",
    "home_expected_shots_on_target",
    "away_expected_shots_on_target",
    *(f"{side}_points_last_{window}" for side in ("home", "away") for window in (3, 5, 10)),
    *(f"{side}_goal_difference_last_{window}" for side in ("home", "away") for window in (5, 10)),
    *(f"{side}_shots_on_target_difference_last_{window}" for side in ("home", "away") for window in (5, 10)),
    "home_points_at_home_last_5",
    "away_points_away_last_5",
    "home_rest_days",
    "away_rest_days",
)
"""Missing (None) for a team's first matches, and where the source has no shots."""
FEATURES = REQUIRED_FEATURES + OPTIONAL_FEATURES
"""The columns of the model, in order; all numbers."""


def _goals(side: SideCounts) -> float:
    return float(side.goals)


def _performance(side: SideCounts) -> float:
    return side.performance


def _shots(side: SideCounts) -> int | None:
    return side.shots


def _shots_on_target(side: SideCounts) -> int | None:
    return side.shots_on_target


@dataclass
class _Division:
    """All that is known of one division up to a day."""

    calendar: SeasonCalendar = field(default_factory=SeasonCalendar)
    elo: Elo = field(default_factory=Elo)
    goals: ScoringRates = field(default_factory=lambda: ScoringRates(_goals, 1.4, 0.03))
    performance: ScoringRates = field(default_factory=lambda: ScoringRates(_performance, 1.4, 0.05))
    shots: ScoringRates = field(default_factory=lambda: ScoringRates(_shots, 12.5, 0.05))
    on_target: ScoringRates = field(default_factory=lambda: ScoringRates(_shots_on_target, 4.4, 0.04))
    forms: dict[str, Form] = field(default_factory=lambda: defaultdict(Form))
