"""The model that every system serves, made once with a fixed seed, and rows to ask with their answers.

`python -m bench.model DIRECTORY` leaves there: a registry (`mlflow.db`) with `match-outcome` and OTHERS at
`champion`, `model/`, the same model as a directory for whoever wants a path, and `rows.json`, written last.
The expected answers are computed one row at a time.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"

import mlflow
import numpy as np
import pandas as pd
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema
from mlflow.types.schema import TensorSpec
from sklearn.ensemble import HistGradientBoostingClassifier

SEED = 20260425
FEATURES = [f"feature_{number}" for number in range(12)]
TRAINED_ON, ASKED = 4_000, 10_000
ALIAS = "champion"
OTHERS = ("slow", "counted")
"""Models that are programs beside this one, each for one measurement."""


def main(directory: Path) -> None:
    """Train, save, register and ask."""
    mlflow.set_tracking_uri(f"sqlite:///{directory / 'mlflow.db'}")
    experiment = mlflow.create_experiment("bench", artifact_location=(directory / "artifacts").as_uri())
    mlflow.set_experiment(experiment_id=experiment)
    numbers = np.random.default_rng(SEED)
    frame = _frame(numbers, TRAINED_ON)
    margin = frame["feature_0"] - frame["feature_1"] + frame["feature_2"] * frame["feature_3"]
    classes = np.select([margin > 0.4, margin > -0.4], [0, 1], 2)
    model = HistGradientBoostingClassifier(max_iter=50, random_state=SEED).fit(frame, classes)
    signature = ModelSignature(
        inputs=Schema([ColSpec("double", name) for name in FEATURES]),
        outputs=Schema([TensorSpec(np.dtype("float64"), (-1, 3))]),
    )
    with mlflow.start_run():
        logged = mlflow.sklearn.log_model(
            model,
            name="match-outcome",
            registered_model_name="match-outcome",
            signature=signature,
            input_example=frame.head(1),
            serialization_format="cloudpickle",
            pyfunc_predict_fn="predict_proba",
            pip_requirements=["scikit-learn"],
        )
        os.environ["BENCH_MODEL"] = mlflow.artifacts.download_artifacts(
            logged.model_uri, dst_path=str(directory / "model")
        )
        for name in OTHERS:
            mlflow.pyfunc.log_model(
                name=name,
                registered_model_name=name,
                python_model=str(Path(__file__).with_name(f"{name}_model.py")),
                signature=signature,
                pip_requirements=["pandas"],
            )
    for name in ("match-outcome", *OTHERS):
        mlflow.MlflowClient().set_registered_model_alias(name, ALIAS, "1")
    _ask(mlflow.pyfunc.load_model(str(directory / "model")), _frame(numbers, ASKED), directory)


def _frame(numbers: np.random.Generator, rows: int) -> pd.DataFrame:
    return pd.DataFrame(numbers.normal(size=(rows, len(FEATURES))).round(6), columns=FEATURES)


def _ask(model: Any, rows: pd.DataFrame, directory: Path) -> None:
    answers = [model.predict(rows.iloc[[number]])[0].tolist() for number in range(len(rows))]
    document = {"rows": rows.to_dict(orient="records"), "probabilities": answers}
    (directory / "rows.json").write_text(json.dumps(document), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())
