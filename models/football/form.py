"""The recent matches of one team: points, goals and shots over the last few, and the days of rest."""

from collections import deque
from dataclasses import dataclass
from datetime import date

from models.football.fixture import Fixture, Outcome

LONGEST_WINDOW = 10
LONGEST_REST_DAYS = 14
"""More days off than this are no more rest, and a summer would drown a week."""

POINTS_AT_HOME = {Outcome.HOME_WIN: 3, Outcome.DRAW: 1, Outcome.AWAY_WIN: 0}
POINTS_AWAY = {Outcome.HOME_WIN: 0, Outcome.DRAW: 1, Outcome.AWAY_WIN: 3}


@dataclass(frozen=True)
class Played:
    """One match from one team's side; differences are own minus other."""

    at_home: bool
    points: int
    goal_difference: int
    shots_on_target_difference: int | None


def _mean(values: list[int]) -> float | None:
    return sum(values) / len(values) if values else None


class Form:
    """What a team has done lately; every answer is None while there is nothing to tell."""

    def __init__(self) -> None:
        self._played: deque[Played] = deque(maxlen=LONGEST_WINDOW)
        self._by_venue: dict[bool, deque[Played]] = {
            True: deque(maxlen=LONGEST_WINDOW),
            False: deque(maxlen=LONGEST_WINDOW),
        }
        self._last_day: date | None = None

    def points(self, window: int) -> float | None:
        """Points per match over the last `window` matches, or as many as there are."""
        return _mean([match.points for match in list(self._played)[-window:]])

    def points_by_venue(self, window: int, *, at_home: bool) -> float | None:
        """Points per match over the last `window` matches at home, or away."""
        return _mean([match.points for match in list(self._by_venue[at_home])[-window:]])

    def goal_difference(self, window: int) -> float | None:
        """Goals scored less conceded, per match."""
        return _mean([match.goal_difference for match in list(self._played)[-window:]])

    def shots_on_target_difference(self, window: int) -> float | None:
        """Shots on target less those allowed, per match, over those of the last matches that tell."""
        recent = [match.shots_on_target_difference for match in list(self._played)[-window:]]
        return _mean([value for value in recent if value is not None])

    def rest_days(self, day: date) -> float | None:
        """Days since the last league match on the calendar, played or not, at most 14."""
        return None if self._last_day is None else float(min(LONGEST_REST_DAYS, (day - self._last_day).days))

    def schedule(self, day: date) -> None:
        """Note that the team has a match on `day`."""
        self._last_day = day

    def add(self, played: Played) -> None:
        """Note a result."""
        self._played.append(played)
        self._by_venue[played.at_home].append(played)


def both_sides(fixture: Fixture) -> tuple[Played, Played]:
    """A played match as its home team and its away team will remember it."""
    if fixture.home is None or fixture.away is None or fixture.outcome is None:
        raise ValueError("the match has not been played")
    goals = fixture.home.goals - fixture.away.goals
    home_shots, away_shots = fixture.home.shots_on_target, fixture.away.shots_on_target
    shots = None if home_shots is None or away_shots is None else home_shots - away_shots
    return (
        Played(True, POINTS_AT_HOME[fixture.outcome], goals, shots),
        Played(False, POINTS_AWAY[fixture.outcome], -goals, None if shots is None else -shots),
    )
