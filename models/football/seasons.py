"""When a new season begins, told from the fixture list alone: files need not say, results play no part."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from itertools import groupby

from models.football.fixture import Fixture

BREAK = timedelta(days=30)


class SeasonCalendar:
    """Follows one division day by day.

    A season begins on the first day after a break of 30 days that holds a team the running season has not
    seen or a pairing it has already had: in a double round robin neither happens within a season. A winter
    break, a World Cup or the hundred days of spring 2020 therefore do not begin one.
    """

    def __init__(self) -> None:
        self.index = 0
        self.teams: set[str] = set()
        self.teams_before: set[str] = set()
        self._pairings: set[tuple[str, str]] = set()
        self._last_day: date | None = None
        self._after_break = False

    def advance(self, day: date, fixtures: Iterable[Fixture]) -> bool:
        """Take in the fixtures of the next `day`; True when a new season began with it."""
        pairings = {(fixture.home_team, fixture.away_team) for fixture in fixtures}
        teams = {team for pairing in pairings for team in pairing}
        if self._last_day is not None and day - self._last_day >= BREAK:
            self._after_break = True
        begins = self._after_break and bool(pairings & self._pairings or teams - self.teams)
        if begins:
            self.index += 1
            self.teams_before, self.teams, self._pairings = self.teams, set(), set()
            self._after_break = False
        self.teams |= teams
        self._pairings |= pairings
        self._last_day = day
        return begins

    def is_newcomer(self, team: str) -> bool:
        """Whether `team` plays this season but not the last; nobody is one in the first season known."""
        return self.index > 0 and team not in self.teams_before


def seasons_of(fixtures: Sequence[Fixture]) -> list[int]:
    """Give the season of each fixture, counted from 0 within its division; fixtures by date."""
    calendars: dict[str, SeasonCalendar] = defaultdict(SeasonCalendar)
    seasons: list[int] = []
    for day, group in groupby(fixtures, key=lambda fixture: fixture.match_date):
        matches = list(group)
        for division in {fixture.division for fixture in matches}:
            calendars[division].advance(day, [match for match in matches if match.division == division])
        seasons += [calendars[match.division].index for match in matches]
    return seasons
