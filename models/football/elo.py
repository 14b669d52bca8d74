"""Elo ratings of one division, carried over seasons."""

from models.football.fixture import Fixture, Outcome

MEAN = 1500.0
STEP = 20.0
HOME_ADVANTAGE = 65.0
MARGIN_BONUS = 0.3
"""How much more each further goal of the margin moves the ratings."""
SEASON_REGRESSION = 0.2
"""The share of its distance from the mean a team loses over the summer."""
NEWCOMER = MEAN - 100.0
"""Where a promoted team starts."""

SCORE = {Outcome.HOME_WIN: 1.0, Outcome.DRAW: 0.5, Outcome.AWAY_WIN: 0.0}


class Elo:
    """One number per team; the winner takes from the loser what the result was not expected to be."""

    def __init__(self) -> None:
        self._ratings: dict[str, float] = {}

    def enter(self, team: str, *, newcomer: bool) -> None:
        """Give `team` its first rating of a season where it has none."""
        self._ratings.setdefault(team, NEWCOMER if newcomer else MEAN)

    def rating(self, team: str) -> float:
        """The rating of a team that has entered."""
        return self._ratings[team]

    def begin_season(self, teams_before: set[str]) -> None:
        """Keep last season's teams alone, centred on the mean and drawn towards it."""
        kept = {team: rating for team, rating in self._ratings.items() if team in teams_before}
        centre = sum(kept.values()) / len(kept)
        self._ratings = {
            team: MEAN + (rating - centre) * (1.0 - SEASON_REGRESSION) for team, rating in kept.items()
        }

    def change(self, fixture: Fixture) -> float:
        """What a played match gives the home team and takes from the away team."""
        if fixture.home is None or fixture.away is None or fixture.outcome is None:
            raise ValueError("the match has not been played")
        lead = self.rating(fixture.home_team) + HOME_ADVANTAGE - self.rating(fixture.away_team)
        expected = 1.0 / (1.0 + 10.0 ** (-lead / 400.0))
        margin = abs(fixture.home.goals - fixture.away.goals)
        step = STEP * (1.0 + MARGIN_BONUS * max(0, margin - 1))
        return step * (SCORE[fixture.outcome] - expected)

    def update(self, fixtures: list[Fixture]) -> None:
        """Learn from the played matches of one day, none of which sees another."""
        changes = [(fixture, self.change(fixture)) for fixture in fixtures]
        for fixture, change in changes:
            self._ratings[fixture.home_team] += change
            self._ratings[fixture.away_team] -= change
