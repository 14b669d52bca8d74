"""Registers the small models of the integration tests: `register.py TRACKING_URI ARTIFACT_DIRECTORY`.

A program of its own, so that the test process neither imports MLflow nor shares its warnings.
"""

import os
import sys
from pathlib import Path

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"

import mlflow
import numpy as np
import pandas as pd
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema
from mlflow.types.schema import TensorSpec
from sklearn.linear_model import LogisticRegression

FEATURES = ["home_elo", "away_elo", "rest_days"]
ALIAS = "champion"


def main(tracking_uri: str, artifacts: str) -> None:
    """Register `match-outcome`, `probe` and, with an alias nobody serves by default, `damaged`."""
    mlflow.set_tracking_uri(tracking_uri)
    experiment = mlflow.create_experiment("small models", artifact_location=Path(artifacts).as_uri())
    mlflow.set_experiment(experiment_id=experiment)
    with mlflow.start_run():
        mlflow.log_metric("log_loss", 0.98)
        _match_outcome()
    with mlflow.start_run():
        _probe()
        _damaged()


def _match_outcome() -> None:
    numbers = np.random.default_rng(7)
    frame = pd.DataFrame(
        {
            "home_elo": numbers.normal(1500, 120, 300),
            "away_elo": numbers.normal(1500, 120, 300),
            "rest_days": numbers.integers(3, 9, 300).astype(float),
        }
    )[FEATURES]
    margin = frame.home_elo - frame.away_elo + numbers.normal(40, 120, 300)
    classes = np.select([margin > 60, margin > -60], [0, 1], 2)
    model = LogisticRegression(solver="newton-cholesky").fit(frame, classes)
    signature = ModelSignature(
        inputs=Schema([ColSpec("double", name) for name in FEATURES]),
        outputs=Schema([TensorSpec(np.dtype("float64"), (-1, 3))]),
    )
    mlflow.sklearn.log_model(
        model,
        name="match-outcome",
        registered_model_name="match-outcome",
        signature=signature,
        input_example=frame.head(1),
        pyfunc_predict_fn="predict_proba",
        pip_requirements=["scikit-learn"],
    )
    _give_alias("match-outcome", ALIAS)


def _probe() -> None:
    columns: list[ColSpec | TensorSpec] = [
        ColSpec("string", "action"),
        ColSpec("double", "seconds", required=False),
        ColSpec("long", "count", required=False),
        ColSpec("datetime", "at", required=False),
        ColSpec("string", "trace", required=False),
        ColSpec("string", "switch", required=False),
        ColSpec("string", "calls", required=False),
    ]
    mlflow.pyfunc.log_model(
        name="probe",
        registered_model_name="probe",
        python_model=str(Path(__file__).with_name("probe.py")),
        signature=ModelSignature(inputs=Schema(columns)),
        pip_requirements=["pandas"],
    )
    _give_alias("probe", ALIAS)


def _damaged() -> None:
    client = mlflow.MlflowClient()
    client.create_registered_model("damaged")
    client.create_model_version("damaged", source=str(Path(__file__).parent / "no-such-model"))
    _give_alias("damaged", "broken")


def _give_alias(name: str, alias: str) -> None:
    mlflow.MlflowClient().set_registered_model_alias(name, alias, "1")


if __name__ == "__main__":
    main(*sys.argv[1:])
