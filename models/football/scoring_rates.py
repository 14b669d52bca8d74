"""Attack and defence ratings for anything a side counts in a match: goals, shots, performance.

A Poisson model learned match by match: the expected count is exp(level + attack - defence), and after each
match both sides move along the gradient of the Poisson likelihood, so older matches fade by themselves.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from models.football.fixture import Fixture, SideCounts

SEASON_REGRESSION = 0.1
NEWCOMER = -0.25
"""Attack and defence of a promoted team, on the log scale: it scores 22 % less and concedes 28 % more."""
LEVEL_STEP = 0.005
"""How fast the league's own home and away levels follow the times, once some hundred matches are known."""


@dataclass
class _Strength:
    attack: float
    defence: float


class ScoringRates:
    """The ratings of one division for what `count_of` reads (None where the source does not tell)."""

    def __init__(self, count_of: Callable[[SideCounts], float | None], start: float, step: float) -> None:
        """`start` is the usual count of a side in a match; `step` how far one match moves a rating."""
        self._count_of = count_of
        self._step = step
        self._home_level = self._away_level = math.log(start)
        self._strengths: dict[str, _Strength] = {}
        self._matches = 0

    def enter(self, team: str, *, newcomer: bool) -> None:
        """Give `team` its first ratings of a season where it has none."""
        start = NEWCOMER if newcomer else 0.0
        self._strengths.setdefault(team, _Strength(start, start))

    def begin_season(self, teams_before: set[str]) -> None:
        """Keep last season's teams alone, centred on zero and drawn towards it."""
        kept = {team: rated for team, rated in self._strengths.items() if team in teams_before}
        attack = sum(rated.attack for rated in kept.values()) / len(kept)
        defence = sum(rated.defence for rated in kept.values()) / len(kept)
        share = 1.0 - SEASON_REGRESSION
        self._strengths = {
            team: _Strength((rated.attack - attack) * share, (rated.defence - defence) * share)
            for team, rated in kept.items()
        }

    @property
    def informed(self) -> bool:
        """Whether the league has shown any such count yet; before that every expectation is a bare prior."""
        return self._matches > 0

    def expected(self, home_team: str, away_team: str) -> tuple[float, float]:
        """Expected counts of the home and the away side, both of which have entered."""
        home, away = self._strengths[home_team], self._strengths[away_team]
        return (
            math.exp(self._home_level + home.attack - away.defence),
            math.exp(self._away_level + away.attack - home.defence),
        )

    def _surprise(self, fixture: Fixture) -> tuple[float, float] | None:
        if fixture.home is None or fixture.away is None:
            raise ValueError("the match has not been played")
        home_count, away_count = self._count_of(fixture.home), self._count_of(fixture.away)
        if home_count is None or away_count is None:
            return None
        home_expected, away_expected = self.expected(fixture.home_team, fixture.away_team)
        scale = math.exp((self._home_level + self._away_level) / 2)
        return (home_count - home_expected) / scale, (away_count - away_expected) / scale

    def update(self, fixtures: list[Fixture]) -> None:
        """Learn from the played matches of one day, none of which sees another."""
        surprises = [(fixture, self._surprise(fixture)) for fixture in fixtures]
        level_step = max(LEVEL_STEP, 1.0 / (self._matches + 10))
        for fixture, surprise in surprises:
            if surprise is None:
                continue
            more_home, more_away = surprise
            self._matches += 1
            home, away = self._strengths[fixture.home_team], self._strengths[fixture.away_team]
            home.attack += self._step * more_home
            away.defence -= self._step * more_home
            away.attack += self._step * more_away
            home.defence -= self._step * more_away
            self._home_level += level_step * more_home
            self._away_level += level_step * more_away
