"""The naive queue design, plainly: a route that sends a task and waits for its result in a thread."""

import os

from celery import Celery, group
from fastapi import FastAPI
from pydantic import BaseModel

celery = Celery("naive", broker=os.environ["NAIVE_BROKER"], backend=os.environ["NAIVE_BACKEND"])
app = FastAPI()


class Question(BaseModel):
    """One row."""

    features: dict[str, float]


class Questions(BaseModel):
    """Many rows."""

    rows: list[dict[str, float]]


@app.post("/predict")
def predict(question: Question) -> dict[str, list[float]]:
    """Send the task, wait for the result."""
    result = celery.send_task("predict", args=[question.features])
    return {"probabilities": result.get(timeout=30)}


@app.post("/records")
def predict_records(questions: Questions) -> dict[str, list[list[float]]]:
    """All rows as one task."""
    result = celery.send_task("predict_records", args=[questions.rows])
    return {"probabilities": result.get(timeout=120)}


@app.post("/each")
def predict_each(questions: Questions) -> dict[str, list[list[float]]]:
    """A task a row."""
    tasks = group(celery.signature("predict", args=[row]) for row in questions.rows)
    return {"probabilities": tasks.apply_async().get(timeout=120)}
