"""Registers what the fault suite serves: `register_models.py TRACKING_URI ARTIFACT_DIRECTORY`.

A program of its own, so that the harness neither imports MLflow nor waits for it.
"""

import os
import sys
from pathlib import Path

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"

import mlflow
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema

NAME = "counting"
ALIAS = "champion"


def main(tracking_uri: str, artifacts: str) -> None:
    """Register `counting`, and `missing`, whose files are nowhere."""
    mlflow.set_tracking_uri(tracking_uri)
    experiment = mlflow.create_experiment("faults", artifact_location=Path(artifacts).as_uri())
    mlflow.set_experiment(experiment_id=experiment)
    columns = [ColSpec("long", "number"), ColSpec("string", "action"), ColSpec("double", "seconds")]
    with mlflow.start_run():
        mlflow.pyfunc.log_model(
            name=NAME,
            registered_model_name=NAME,
            python_model=str(Path(__file__).with_name("counting_model.py")),
            signature=ModelSignature(inputs=Schema(list(columns))),
            pip_requirements=["pandas"],
        )
    client = mlflow.MlflowClient()
    client.create_registered_model("missing")
    client.create_model_version("missing", source=str(Path(artifacts) / "no-such-model"))
    for name in (NAME, "missing"):
        client.set_registered_model_alias(name, ALIAS, "1")


if __name__ == "__main__":
    main(*sys.argv[1:])
