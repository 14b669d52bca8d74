"""Puts a trained model into the MLflow registry, with everything needed to judge it later."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, Schema, TensorSpec
from sklearn.pipeline import Pipeline

from models.football.calibration_plot import calibration_plot
from models.football.evaluation import Evaluation
from models.football.features import FEATURES, REQUIRED_FEATURES
from models.football.history import History
from models.football.outcome_model import SETTINGS
from tandem.backplane.errors import TandemError

TRUSTED_TYPES = ["numpy.dtype"]
"""The one type in the saved model that skops does not know by itself; it holds no code."""
PACKAGES = ("scikit-learn", "numpy", "pandas", "skops")
"""What the served model needs, at the versions it was made with."""
SQLITE = "sqlite:///"
MADE_UP_NOTE = "Trained on a made-up league: its teams, results and probabilities mean nothing outside it."
NOTE = "Home win (0), draw (1) or away win (2) of a football match, from the matches before it."


class RegistryUnavailable(TandemError):
    """The registry did not answer, or refused."""


@contextmanager
def registry_errors() -> Iterator[None]:
    """Turn what MLflow raises about its registry into RegistryUnavailable."""
    try:
        yield
    except MlflowException as error:
        line = str(error).strip().splitlines()[0]
        raise RegistryUnavailable(f"the registry failed ({error.error_code}): {line}") from error


@dataclass(frozen=True)
class ModelVersion:
    """A version in the registry."""

    name: str
    version: str
    run_id: str


def signature() -> ModelSignature:
    """Named numbers in, probabilities of home win, draw and away win out; form and shots may be missing."""
    columns: list[ColSpec | TensorSpec] = [
        ColSpec(DataType.double, name, required=name in REQUIRED_FEATURES) for name in FEATURES
    ]
    return ModelSignature(Schema(columns), Schema([TensorSpec(np.dtype("float64"), (-1, 3))]))


def _experiment(tracking_uri: str, name: str) -> str:
    """The experiment's id; over SQLite its artefacts lie beside the database, not where it was started."""
    found = mlflow.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    beside = Path(tracking_uri.removeprefix(SQLITE)).resolve().parent / "artifacts"
    location = beside.as_uri() if tracking_uri.startswith(SQLITE) else None
    return str(mlflow.create_experiment(name, artifact_location=location))


def _tags(history: History) -> dict[str, str]:
    return {
        "made_up": str(history.made_up).lower(),
        "data": history.description,
        "data_sha256": history.digest,
        "as_of": history.as_of.isoformat(),
    }


def register(
    name: str,
    *,
    tracking_uri: str,
    history: History,
    frame: pd.DataFrame,
    pipeline: Pipeline,
    evaluation: Evaluation,
) -> ModelVersion:
    """Log run, metrics, plot and model, and make it the next version of `name`; no alias moves.

    `pipeline` was fitted on `frame`, the features of `history.played`; `evaluation` never saw what it judges.
    """
    mlflow.set_tracking_uri(tracking_uri)
    complete = frame.dropna()
    note = f"{NOTE} {MADE_UP_NOTE}" if history.made_up else NOTE
    tags = _tags(history)
    with mlflow.start_run(experiment_id=_experiment(tracking_uri, name), tags=tags, description=note) as run:
        mlflow.log_params({**SETTINGS, "features": len(FEATURES), "training_matches": len(frame)})
        mlflow.log_metrics(evaluation.metrics())
        title = f"{len(evaluation.outcomes)} matches, each predicted by a model that had not seen it"
        if history.made_up:
            title += "\n(a made-up league)"
        mlflow.log_figure(calibration_plot(evaluation, title), "calibration.png")
        saved: Any = mlflow.sklearn.log_model(
            pipeline,
            name="model",
            registered_model_name=name,
            signature=signature(),
            input_example=(frame if complete.empty else complete).tail(1),
            pyfunc_predict_fn="predict_proba",
            serialization_format="skops",
            skops_trusted_types=TRUSTED_TYPES,
            pip_requirements=[f"{package}=={version(package)}" for package in PACKAGES],
        )
    registered = ModelVersion(name, str(saved.registered_model_version), run.info.run_id)
    client = mlflow.MlflowClient()
    client.update_model_version(name, registered.version, description=note)
    for key, value in tags.items():
        client.set_model_version_tag(name, registered.version, key, value)
    return registered
