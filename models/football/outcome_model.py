"""The classifier: a logistic regression over the features, taught by goals.

A result says little (one of three); the goals behind it say more. So two Poisson regressions learn the goals
of either side, and the logistic regression learns the chances that follow from them, instead of the bare
results. What is served is small, standard scikit-learn, and as fast as a logistic regression is. The settings
were chosen walking forward over 2018/19 to 2023/24 (docs/adr/0004-football-model.md).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, PoissonRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from models.football.features import FEATURES, Features
from models.football.score_lines import Array, outcome_chances

GOALS_PENALTY = 1.0
"""The ridge on the goals' regressions. The features say much the same ten times over; it averages them."""
OUTCOME_PENALTY_INVERSE = 0.1
"""scikit-learn's C for the logistic regression, whose targets hold no noise."""
SOLVER = "newton-cholesky"
"""Exact, and fastest by far where features are few and matches many."""
FORM_WEIGHT = 0.2
"""How large form features are beside ratings when the ridge looks at them: they may add little, not rule."""
SETTINGS = {
    "goals_penalty": GOALS_PENALTY,
    "outcome_penalty_inverse": OUTCOME_PENALTY_INVERSE,
    "form_weight": FORM_WEIGHT,
}
"""What is worth keeping beside a trained model."""


def feature_frame(rows: Sequence[Features]) -> pd.DataFrame:
    """Features as the model takes them: one float64 column each, in order, None as NaN."""
    return pd.DataFrame(rows, columns=list(FEATURES), dtype="float64")


def _weights() -> Array:
    is_rating = [name.endswith("_elo") or "_expected_" in name for name in FEATURES]
    return np.where(is_rating, 1.0, FORM_WEIGHT)


def _chances_behind(scaled: Array, goals: npt.NDArray[np.int64]) -> Array:
    """Chances of the three outcomes that follow from what `scaled` (n, k) says about `goals` (n, 2)."""
    rates = [
        PoissonRegressor(alpha=GOALS_PENALTY, solver=SOLVER).fit(scaled, goals[:, side]).predict(scaled)
        for side in (0, 1)
    ]
    return outcome_chances(rates[0], rates[1])


def fit(frame: pd.DataFrame, goals: npt.NDArray[np.int64]) -> Pipeline:
    """Fit on `frame` (n rows, FEATURES) and `goals` (n, 2: home, away); gives imputer and classifier, fitted.

    Standardisation and weights are linear, so they are folded into the coefficients: one step less to run.
    """
    imputer = SimpleImputer(strategy="median", keep_empty_features=True)
    scaler = StandardScaler()
    weights = _weights()
    scaled = scaler.fit_transform(imputer.fit_transform(frame)) * weights
    # One thread: the matrices are small, and threads that wait for one another took eight times as long.
    with threadpool_limits(1):
        chances = _chances_behind(scaled, goals)
        classifier: Any = LogisticRegression(C=OUTCOME_PENALTY_INVERSE, solver=SOLVER).fit(
            np.vstack([scaled] * 3), np.repeat([0, 1, 2], len(scaled)), sample_weight=chances.T.ravel()
        )
    classifier.coef_ = classifier.coef_ * (weights / scaler.scale_)
    classifier.intercept_ = classifier.intercept_ - classifier.coef_ @ scaler.mean_
    return Pipeline([("imputer", imputer), ("classifier", classifier)])
