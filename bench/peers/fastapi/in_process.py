"""The least that serves a model: a route that calls it, in the web process."""

import os

import mlflow
import pandas as pd
from fastapi import FastAPI
from pydantic import BaseModel

model = mlflow.pyfunc.load_model(os.environ["BENCH_MODEL"])
app = FastAPI()


class Question(BaseModel):
    """One row."""

    features: dict[str, float]


@app.post("/predict")
def predict(question: Question) -> dict[str, list[float]]:
    """One row, one call."""
    return {"probabilities": model.predict(pd.DataFrame([question.features]))[0].tolist()}


@app.post("/empty")
async def empty(question: Question) -> dict[str, int]:
    """Read and check the body, and no more."""
    return {"features": len(question.features)}
