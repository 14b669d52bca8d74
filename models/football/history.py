"""What was known of a league at the end of one day: the matches played by then, and those still to come."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from models.football.fixture import Fixture
from models.football.results_csv import InvalidResults


@dataclass(frozen=True)
class History:
    """Played matches up to `as_of` and fixtures from it on, both by date; no match is in both."""

    as_of: date
    played: tuple[Fixture, ...]
    upcoming: tuple[Fixture, ...]
    made_up: bool = False

    @property
    def unknown_teams(self) -> list[str]:
        """Teams with matches to come and no result: newly promoted, or spelt differently in the two files."""
        known = {team for match in self.played for team in (match.home_team, match.away_team)}
        return sorted(
            {team for match in self.upcoming for team in (match.home_team, match.away_team)} - known
        )

    @property
    def digest(self) -> str:
        """SHA-256 of the played matches: the same data, the same digest."""
        lines = (
            f"{match.match_date}|{match.division}|{match.home_team}|{match.away_team}|{match.home}|{match.away}\n"
            for match in self.played
        )
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    @property
    def description(self) -> str:
        """One line for logs and tags."""
        kind = "a made-up league" if self.made_up else "football results"
        return (
            f"{kind}: {len(self.played)} matches, {self.played[0].match_date} to {self.played[-1].match_date}"
        )


def _without_repeats(matches: Sequence[Fixture]) -> list[Fixture]:
    """Each match once, a result rather than a fixture; two files that tell different results are refused."""
    found: dict[tuple[date, str, str], Fixture] = {}
    for match in matches:
        other = found.setdefault(match.key, match)
        if other.outcome is None:
            found[match.key] = match
        elif match.outcome is not None and (match.home, match.away) != (other.home, other.away):
            day, home_team, away_team = match.key
            raise InvalidResults(f"{home_team} - {away_team} on {day}: two different results are given")
    return list(found.values())


def _in_division(fixture: Fixture, results: Sequence[Fixture]) -> Fixture:
    """The fixture in the division its home team last played in, where its file names none."""
    if fixture.division:
        return fixture
    teams = {fixture.home_team, fixture.away_team}
    mine = (result.division for result in reversed(results) if teams & {result.home_team, result.away_team})
    return replace(fixture, division=next(mine, results[-1].division))


def history_of(
    results: Sequence[Fixture],
    fixtures: Sequence[Fixture],
    *,
    as_of: date | None = None,
    today: date | None = None,
) -> History:
    """Sort out what is played and what is to come on `as_of`, by default the day of the last result.

    With `today` that is the last result by then. It is never later than the last result unless `as_of` says
    so, so that old files cannot pass for fresh ones. Results after it become fixtures: their scores are
    forgotten. A fixture that should have been played before it and was not is left out.

    Raises InvalidResults.
    """
    matches = _without_repeats(results)
    played = sorted(
        (match for match in matches if match.outcome is not None), key=lambda match: match.match_date
    )
    if not played:
        raise InvalidResults("the files hold no played match")
    limit = as_of or today or played[-1].match_date
    known = [match for match in played if match.match_date <= limit]
    if not known:
        raise InvalidResults(f"no match was played by {limit}; the first is on {played[0].match_date}")
    day = as_of or known[-1].match_date
    taken = {match.key for match in known}
    given = [_in_division(fixture, known) for fixture in fixtures]
    later = [match.unplayed() for match in matches if match.key not in taken]
    upcoming = {
        match.key: match for match in (*later, *given) if match.match_date >= day and match.key not in taken
    }
    return History(
        as_of=day,
        played=tuple(known),
        upcoming=tuple(sorted(upcoming.values(), key=lambda match: (match.match_date, match.home_team))),
    )
