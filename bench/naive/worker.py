"""The worker of the naive queue design, plainly: a task is one call to the model that its process holds."""

import os
from typing import Any

import mlflow
import pandas as pd
from celery import Celery
from celery.signals import worker_process_init

app = Celery("naive", broker=os.environ["NAIVE_BROKER"], backend=os.environ["NAIVE_BACKEND"])
models: list[Any] = []


@worker_process_init.connect
def load(**_: Any) -> None:
    """Load the model into a process of the pool."""
    models.append(mlflow.pyfunc.load_model(os.environ["BENCH_MODEL"]))


@app.task(name="predict")
def predict(features: dict[str, float]) -> list[float]:
    """One row, one call."""
    probabilities: list[float] = models[0].predict(pd.DataFrame([features]))[0].tolist()
    return probabilities


@app.task(name="predict_records")
def predict_records(rows: list[dict[str, float]]) -> list[list[float]]:
    """Many rows, one call."""
    probabilities: list[list[float]] = models[0].predict(pd.DataFrame(rows)).tolist()
    return probabilities
