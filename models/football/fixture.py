"""A match of a league, played or still to be played: what every other file here passes around."""

from dataclasses import dataclass, replace
from datetime import date
from enum import IntEnum


class Outcome(IntEnum):
    """The three classes, in the order of the model's probabilities."""

    HOME_WIN = 0
    DRAW = 1
    AWAY_WIN = 2


@dataclass(frozen=True)
class SideCounts:
    """What one side did in a match: goals, and where the source tells, shots and shots on target."""

    goals: int
    shots: int | None = None
    shots_on_target: int | None = None

    @property
    def performance(self) -> float:
        """Goals tempered by the chances behind them, in goals: a steadier sign of strength than the score.

        A goal counts 0.3, a shot on target 0.1, a shot off target 0.05, which adds up to the usual number of
        goals of a top league. Without shots it is the goals.
        """
        if self.shots is None or self.shots_on_target is None:
            return float(self.goals)
        off_target = max(0, self.shots - self.shots_on_target)
        return 0.3 * self.goals + 0.1 * self.shots_on_target + 0.05 * off_target


@dataclass(frozen=True)
class Fixture:
    """One match; `home` and `away` are None until it is played."""

    match_date: date
    home_team: str
    away_team: str
    division: str = ""
    home: SideCounts | None = None
    away: SideCounts | None = None
    match_id: int | None = None

    @property
    def key(self) -> tuple[date, str, str]:
        """What makes it the same match in two files."""
        return self.match_date, self.home_team, self.away_team

    @property
    def outcome(self) -> Outcome | None:
        """Who won, or None before it is played."""
        if self.home is None or self.away is None:
            return None
        if self.home.goals == self.away.goals:
            return Outcome.DRAW
        return Outcome.HOME_WIN if self.home.goals > self.away.goals else Outcome.AWAY_WIN

    def unplayed(self) -> "Fixture":
        """The same fixture as it was known before kick-off."""
        return replace(self, home=None, away=None)
