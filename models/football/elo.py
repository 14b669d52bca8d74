"""Elo ratings of one division, carried over seasons: of the day, and of the long run."""

import math
from dataclasses import dataclass

from models.football.fixture import Fixture, Outcome

MEAN = 1500.0
HOME_ADVANTAGE = 65.0
SCORE = {Outcome.HOME_WIN: 1.0, Outcome.DRAW: 0.5, Outcome.AWAY_WIN: 0.0}


@dataclass(frozen=True)
class EloRules:
    """How ratings move within a season and between two."""

    step: float
    margin_bonus: float
    """How much more each further goal of the margin moves the ratings."""
    newcomer: float
    """Where a promoted team starts."""
    season_regression: float | None
    """The share of its distance from the mean a team loses over the summer; relegated teams are forgotten.

    None: ratings stay as they are, and a team that comes back has its old one.
    """


OF_THE_DAY = EloRules(step=20.0, margin_bonus=0.3, newcomer=MEAN - 100.0, season_regression=0.2)
OF_THE_LONG_RUN = EloRules(step=6.0, margin_bonus=0.0, newcomer=MEAN, season_regression=None)
"""A club's size rather than its shape: slow, and remembered through relegation."""


class Elo:
    """One number per team; the winner takes from the loser what the result was not expected to be."""

    def __init__(self, rules: EloRules) -> None:
        self._rules = rules
        self._ratings: dict[str, float] = {}

    def enter(self, team: str, *, newcomer: bool) -> None:
        """Give `team` its first rating where it has none."""
        self._ratings.setdefault(team, self._rules.newcomer if newcomer else MEAN)

    def rating(self, team: str) -> float:
        """The rating of a team that has entered."""
        return self._ratings[team]

    def begin_season(self, teams_before: set[str]) -> None:
        """Keep last season's teams alone, centred on the mean and drawn to it, where the rules say so."""
        if self._rules.season_regression is None:
            return
        kept = {team: rating for team, rating in self._ratings.items() if team in teams_before}
        centre = sum(kept.values()) / len(kept)
        share = 1.0 - self._rules.season_regression
        self._ratings = {team: MEAN + (rating - centre) * share for team, rating in kept.items()}

    def _change(self, fixture: Fixture) -> float:
        """What a played match gives the home team and takes from the away team."""
        if fixture.home is None or fixture.away is None or fixture.outcome is None:
            raise ValueError("the match has not been played")
        lead = self.rating(fixture.home_team) + HOME_ADVANTAGE - self.rating(fixture.away_team)
        expected = 1.0 / (1.0 + math.pow(10.0, -lead / 400.0))
        margin = abs(fixture.home.goals - fixture.away.goals)
        step = self._rules.step * (1.0 + self._rules.margin_bonus * max(0, margin - 1))
        return step * (SCORE[fixture.outcome] - expected)

    def update(self, fixtures: list[Fixture]) -> None:
        """Learn from the played matches of one day, none of which sees another."""
        changes = [(fixture, self._change(fixture)) for fixture in fixtures]
        for fixture, change in changes:
            self._ratings[fixture.home_team] += change
            self._ratings[fixture.away_team] -= change
