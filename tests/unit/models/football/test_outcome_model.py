"""The classifier: what is served."""

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import Pipeline

from models.football.features import FEATURES, REQUIRED_FEATURES
from models.football.outcome_model import feature_frame
from tests.unit.models.football.conftest import Trainset


def test_answers_three_probabilities(trainset: Trainset, pipeline: Pipeline) -> None:
    """Each row gets three probabilities that sum to one, in the order home win, draw, away win."""
    chances = pipeline.predict_proba(trainset.frame.tail(50))
    assert chances.shape == (50, 3)
    assert chances.sum(axis=1) == pytest.approx(np.ones(50))
    assert list(pipeline.classes_) == [0, 1, 2]


def test_a_stronger_home_side_wins_more_often(trainset: Trainset, pipeline: Pipeline) -> None:
    """Better ratings at home raise the chance of a home win and lower that of an away win."""
    row = trainset.frame.tail(1)
    better = row.assign(
        home_elo=row.home_elo + 200, home_expected_performance=row.home_expected_performance + 0.5
    )
    (home, _, away), (more, _, less) = pipeline.predict_proba(row)[0], pipeline.predict_proba(better)[0]
    assert more > home
    assert less < away


def test_predicts_with_everything_optional_missing(trainset: Trainset, pipeline: Pipeline) -> None:
    """A row with the required features alone is predicted, near the same row with form."""
    row = trainset.frame.tail(1)
    bare = row.assign(**{name: np.nan for name in FEATURES if name not in REQUIRED_FEATURES})
    assert pipeline.predict_proba(bare)[0] == pytest.approx(pipeline.predict_proba(row)[0], abs=0.15)


def test_a_frame_has_every_column_in_order() -> None:
    """Missing values are NaN and all columns are float64, whatever the rows hold."""
    frame = feature_frame([{"away_elo": 1500, "home_elo": 1600.0, "home_rest_days": None}])
    assert list(frame.columns) == list(FEATURES)
    assert set(frame.dtypes) == {np.dtype("float64")}
    assert frame.home_elo[0] == 1600.0
    assert pd.isna(frame.home_rest_days[0])
