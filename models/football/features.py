"""The features of a match: one function for training and serving, from earlier matches alone.

Matches are taken day by day and every match of a day is described before any of that day's results is
learned, so neither its own result nor a later one, nor one of the same day, can reach a feature.
"""

from collections.abc import Sequence
from datetime import date
from itertools import groupby

from models.football.elo import OF_THE_DAY, OF_THE_LONG_RUN, Elo
from models.football.fixture import Fixture, SideCounts
from models.football.form import Form, both_sides
from models.football.scoring_rates import ScoringRates
from models.football.seasons import SeasonCalendar

Features = dict[str, float | None]

REQUIRED_FEATURES = (
    "home_elo",
    "away_elo",
    "home_long_run_elo",
    "away_long_run_elo",
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


class _Division:
    """All that is known of one division up to a day."""

    def __init__(self) -> None:
        self.calendar = SeasonCalendar()
        self.elo = Elo(OF_THE_DAY)
        self.long_run_elo = Elo(OF_THE_LONG_RUN)
        self.goals = ScoringRates(_goals, start=1.4, step=0.03)
        self.performance = ScoringRates(_performance, start=1.4, step=0.05)
        self.shots = ScoringRates(_shots, start=12.5, step=0.05)
        self.shots_on_target = ScoringRates(_shots_on_target, start=4.4, step=0.04)
        self.ratings = (
            self.elo,
            self.long_run_elo,
            self.goals,
            self.performance,
            self.shots,
            self.shots_on_target,
        )
        self.forms: dict[str, Form] = {}

    def open_day(self, day: date, fixtures: Sequence[Fixture]) -> None:
        """Learn from the fixture list of `day` that these teams play; knows nothing of how."""
        if self.calendar.advance(day, fixtures):
            before = self.calendar.teams_before
            self.forms = {team: form for team, form in self.forms.items() if team in before}
            for rating in self.ratings:
                rating.begin_season(before)
        for team in (team for fixture in fixtures for team in (fixture.home_team, fixture.away_team)):
            self.forms.setdefault(team, Form())
            for rating in self.ratings:
                rating.enter(team, newcomer=self.calendar.is_newcomer(team))

    def describe(self, fixture: Fixture) -> Features:
        """Give the features of a fixture of the day that was opened."""
        home, away, day = fixture.home_team, fixture.away_team, fixture.match_date
        values: Features = {
            "home_elo": self.elo.rating(home),
            "away_elo": self.elo.rating(away),
            "home_long_run_elo": self.long_run_elo.rating(home),
            "away_long_run_elo": self.long_run_elo.rating(away),
        }
        for name in ("goals", "performance", "shots", "shots_on_target"):
            rates: ScoringRates = getattr(self, name)
            known = rates.informed or name in {"goals", "performance"}
            pair = rates.expected(home, away) if known else (None, None)
            values[f"home_expected_{name}"], values[f"away_expected_{name}"] = pair
        for side, form in (("home", self.forms[home]), ("away", self.forms[away])):
            for window in (3, 5, 10):
                values[f"{side}_points_last_{window}"] = form.points(window)
            for window in (5, 10):
                values[f"{side}_goal_difference_last_{window}"] = form.goal_difference(window)
                values[f"{side}_shots_on_target_difference_last_{window}"] = form.shots_on_target_difference(
                    window
                )
            values[f"{side}_rest_days"] = form.rest_days(day)
        values["home_points_at_home_last_5"] = self.forms[home].points_by_venue(5, at_home=True)
        values["away_points_away_last_5"] = self.forms[away].points_by_venue(5, at_home=False)
        return {name: values[name] for name in FEATURES}

    def close_day(self, day: date, fixtures: Sequence[Fixture]) -> None:
        """Learn the results of `day`, as far as it was played."""
        for fixture in fixtures:
            self.forms[fixture.home_team].schedule(day)
            self.forms[fixture.away_team].schedule(day)
        played = [fixture for fixture in fixtures if fixture.outcome is not None]
        for rating in self.ratings:
            rating.update(played)
        for fixture in played:
            home_side, away_side = both_sides(fixture)
            self.forms[fixture.home_team].add(home_side)
            self.forms[fixture.away_team].add(away_side)


def features_of(fixtures: Sequence[Fixture]) -> list[Features]:
    """Describe every fixture by what was known before its day, in the order given.

    Unplayed fixtures are described like any other and teach nothing but the calendar. Divisions are kept
    apart.
    """
    described: dict[int, Features] = {}
    divisions: dict[str, _Division] = {}
    order = sorted(
        range(len(fixtures)), key=lambda index: (fixtures[index].match_date, fixtures[index].division)
    )
    for (day, name), indices in groupby(
        order, key=lambda index: (fixtures[index].match_date, fixtures[index].division)
    ):
        division = divisions.setdefault(name, _Division())
        matches = {index: fixtures[index] for index in indices}
        division.open_day(day, list(matches.values()))
        described.update({index: division.describe(fixture) for index, fixture in matches.items()})
        division.close_day(day, list(matches.values()))
    return [described[index] for index in range(len(fixtures))]
