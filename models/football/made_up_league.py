"""A made-up league, for when no file of results is given: every chance in it is known.

Twenty invented teams, each with a strength that drifts, play five whole seasons and 24 rounds of a sixth up
to a day; 14 rounds lie ahead, numbered from 1. Goals are Poisson at the true rates, so the true probability
of every outcome is known, and a model can be held against it. The same seed and day give the same league.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from models.football.fixture import Fixture, SideCounts
from models.football.history import History
from models.football.score_lines import Array, outcome_chances

PLACES = (
    "Aldermoor",
    "Brackwater",
    "Calderwick",
    "Dunmarsh",
    "Eskerby",
    "Farrowmere",
    "Glenholt",
    "Harrowfen",
    "Inverloch",
    "Jarrowmoor",
    "Kestrelby",
    "Larkhollow",
    "Merrowdale",
    "Netherwick",
    "Oakhaven",
    "Penmarrow",
    "Quillford",
    "Ravensholt",
    "Saltmere",
    "Thornwick",
    "Umberleigh Vale",
    "Vellmoor",
    "Wexcombe",
    "Yarrowfield",
    "Zennorby",
    "Ashenford",
)
TEAMS = tuple(f"{place} (made up)" for place in PLACES)
TEAMS_IN_LEAGUE, RELEGATED = 20, 3
WHOLE_SEASONS, ROUNDS, ROUNDS_PLAYED = 5, 38, 24
SEASON = timedelta(weeks=52)

HOME_LEVEL, AWAY_LEVEL = float(np.log(1.5)), float(np.log(1.2))
SPREAD, DRIFT, PROMOTED = 0.25, 0.08, -0.25
"""Of strength on the log scale: between teams, from season to season, and of a promoted team."""
SAVED, OFF_TARGET = 2.2, 5.0
"""Shots saved and shots off target for every goal expected."""


@dataclass(frozen=True)
class MadeUpLeague:
    """The league as known on `history.as_of`, with the true chances (n, 3) of its matches."""

    history: History
    true_played: Array
    true_upcoming: Array


def _rounds(teams: Sequence[str]) -> list[list[tuple[str, str]]]:
    """A double round robin by the circle method: 38 rounds of ten pairings, home team first."""
    fixed, others = teams[0], list(teams[1:])
    half = []
    for number in range(len(others)):
        circle = [fixed, *others[number:], *others[:number]]
        pairs = [(circle[place], circle[-1 - place]) for place in range(len(teams) // 2)]
        # A team moves on one place a round, so it plays at home and away in turn.
        half.append([pair[::-1] if (place or number) % 2 else pair for place, pair in enumerate(pairs)])
    return half + [[pair[::-1] for pair in pairs] for pairs in half]


def _next_season(
    generator: np.random.Generator, strengths: dict[str, tuple[float, float]]
) -> dict[str, tuple[float, float]]:
    """Let strengths (attack, defence) drift, and the three weakest go down for three others."""
    ranked = sorted(strengths, key=lambda team: sum(strengths[team]), reverse=True)
    stay = {
        team: (attack * 0.9 + generator.normal(0, DRIFT), defence * 0.9 + generator.normal(0, DRIFT))
        for team, (attack, defence) in ((team, strengths[team]) for team in ranked[:-RELEGATED])
    }
    below = [team for team in TEAMS if team not in strengths]
    up = generator.choice(len(below), RELEGATED, replace=False)
    return stay | {
        below[index]: (generator.normal(PROMOTED, DRIFT), generator.normal(PROMOTED, DRIFT)) for index in up
    }


def _counts(generator: np.random.Generator, rate: float) -> SideCounts:
    goals = int(generator.poisson(rate))
    on_target = goals + int(generator.poisson(SAVED * rate))
    return SideCounts(goals, on_target + int(generator.poisson(OFF_TARGET * rate)), on_target)


def made_up_league(as_of: date, seed: int = 42) -> MadeUpLeague:
    """Make the league as it stands on `as_of`; the first of the upcoming matches is on the day after."""
    generator = np.random.default_rng(seed)
    strengths = {
        team: (generator.normal(0, SPREAD), generator.normal(0, SPREAD)) for team in TEAMS[:TEAMS_IN_LEAGUE]
    }
    played: list[Fixture] = []
    upcoming: list[Fixture] = []
    rates: list[tuple[float, float]] = []
    for season in range(WHOLE_SEASONS + 1):
        start = (
            as_of + timedelta(days=1) - ROUNDS_PLAYED * timedelta(weeks=1) - (WHOLE_SEASONS - season) * SEASON
        )
        for number, pairs in enumerate(_rounds(sorted(strengths))):
            for place, (home_team, away_team) in enumerate(pairs):
                home, away = strengths[home_team], strengths[away_team]
                home_rate = float(np.exp(HOME_LEVEL + home[0] - away[1]))
                away_rate = float(np.exp(AWAY_LEVEL + away[0] - home[1]))
                rates.append((home_rate, away_rate))
                day = start + timedelta(weeks=number, days=2 * place // len(pairs))
                if day <= as_of:
                    sides = _counts(generator, home_rate), _counts(generator, away_rate)
                    played.append(Fixture(day, home_team, away_team, "", *sides))
                else:
                    upcoming.append(Fixture(day, home_team, away_team, match_id=len(upcoming) + 1))
        strengths = _next_season(generator, strengths)
    both = np.array(rates)
    true = outcome_chances(both[:, 0], both[:, 1])
    history = History(as_of, tuple(played), tuple(upcoming), made_up=True)
    return MadeUpLeague(history, true[: len(played)], true[len(played) :])
