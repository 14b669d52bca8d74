"""What the tests of the football model share: a made-up league, one registry, and the real results."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from sklearn.pipeline import Pipeline

from models.football.evaluation import Evaluation, goals_of, walk_forward
from models.football.features import features_of
from models.football.history import History, history_of
from models.football.made_up_league import MadeUpLeague, made_up_league
from models.football.outcome_model import feature_frame, fit
from models.football.registration import ModelVersion, register
from models.football.sources import load_fixtures, load_results

AS_OF = date(2026, 3, 14)
MLFLOW_WARNINGS = (
    "ignore::sqlalchemy.exc.SADeprecationWarning",
    "ignore:Operation with range is deprecated",
    "ignore:.*Any type hint is inferred",
)
"""What MLflow's own use of other libraries is warned of; nothing that this repository could change."""
REAL_DATA = Path(__file__).parents[4].parent / "shared" / "data" / "football"


@pytest.fixture(scope="session")
def league() -> MadeUpLeague:
    """The made-up league as of 14 March 2026."""
    return made_up_league(AS_OF)


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An empty MLflow registry over SQLite; made once, since its tables take seconds."""
    return f"sqlite:///{tmp_path_factory.mktemp('registry')}/mlflow.db"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real results; a test that needs it is skipped where it is absent."""
    if not REAL_DATA.is_dir():
        pytest.skip(f"the real results are not at {REAL_DATA}")
    return REAL_DATA


@pytest.fixture(scope="session")
def real_history(real_data: Path) -> History:
    """Ten seasons of the Premier League, the last to 13 March 2026, with the fixtures after it."""
    fixtures = load_fixtures(str(real_data / "fixtures-from-2026-03-14.csv"))
    return history_of(load_results([str(real_data / "season-*.csv")]), fixtures)


@dataclass(frozen=True)
class Trainset:
    """Features and goals of all played matches of the made-up league."""

    frame: pd.DataFrame
    goals: npt.NDArray[np.int64]


@pytest.fixture(scope="session")
def trainset(league: MadeUpLeague) -> Trainset:
    """What the model is fitted on."""
    return Trainset(feature_frame(features_of(league.history.played)), goals_of(league.history.played))


@pytest.fixture(scope="session")
def pipeline(trainset: Trainset) -> Pipeline:
    """A model fitted on the whole made-up league."""
    return fit(trainset.frame, trainset.goals)


@pytest.fixture(scope="session")
def evaluation(league: MadeUpLeague, trainset: Trainset) -> Evaluation:
    """The walk over the made-up league's newest matches."""
    return walk_forward(league.history.played, trainset.frame)


@pytest.fixture(scope="session")
def register_again(
    league: MadeUpLeague, trainset: Trainset, pipeline: Pipeline, evaluation: Evaluation, registry: str
) -> Callable[..., ModelVersion]:
    """Register the fitted model once more under a name, judged and trained as told."""
    judged_as_it_is = evaluation

    def register_again(
        name: str, *, evaluation: Evaluation = judged_as_it_is, made_up: bool = True
    ) -> ModelVersion:
        return register(
            name,
            tracking_uri=registry,
            history=replace(league.history, made_up=made_up),
            frame=trainset.frame,
            pipeline=pipeline,
            evaluation=evaluation,
        )

    return register_again
