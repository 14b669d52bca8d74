"""The yardstick a model has to beat: plain Elo and the points of the last five matches, logistic regression.

Written apart from the features on purpose, so that a change there cannot move the yardstick.
"""

from collections import defaultdict, deque
from collections.abc import Sequence
from itertools import groupby

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from models.football.fixture import Fixture, Outcome

STEP, HOME_ADVANTAGE, START = 20.0, 65.0, 1500.0
WORTH = {Outcome.HOME_WIN: (1.0, 3, 0), Outcome.DRAW: (0.5, 1, 1), Outcome.AWAY_WIN: (0.0, 0, 3)}
"""The home side's Elo score and both sides' points."""
USUAL_POINTS = 1.35
"""Points per match of a team with no match yet."""


def yardstick_features(played: Sequence[Fixture]) -> npt.NDArray[np.float64]:
    """Give Elo difference and both teams' points per match over the last five: (n, 3), matches by date."""
    elo: dict[str, float] = defaultdict(lambda: START)
    points: dict[str, deque[int]] = defaultdict(lambda: deque(maxlen=5))
    rows = []
    for _, day in groupby(played, key=lambda match: match.match_date):
        matches = list(day)
        for match in matches:
            form = [points[team] for team in (match.home_team, match.away_team)]
            rows.append(
                [
                    elo[match.home_team] - elo[match.away_team],
                    *(sum(last) / len(last) if last else USUAL_POINTS for last in form),
                ]
            )
        for match, row in zip(matches, rows[-len(matches) :], strict=True):
            expected = 1 / (1 + 10 ** (-(row[0] + HOME_ADVANTAGE) / 400))
            if match.outcome is None:
                raise ValueError("the yardstick is for played matches")
            score, home_points, away_points = WORTH[match.outcome]
            elo[match.home_team] += STEP * (score - expected)
            elo[match.away_team] -= STEP * (score - expected)
            points[match.home_team].append(home_points)
            points[match.away_team].append(away_points)
    return np.array(rows)


def fit_yardstick(features: npt.NDArray[np.float64], outcomes: npt.NDArray[np.int64]) -> Pipeline:
    """Fit the yardstick's own logistic regression, with scikit-learn's defaults."""
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(features, outcomes)
