"""A function as it is usually written: FastAPI, a Celery client and a boto3 client, made while importing."""

import asyncio
import os

import boto3
from celery import Celery
from fastapi import FastAPI
from mangum import Mangum
from pydantic import BaseModel

celery = Celery("function", broker=os.environ["NAIVE_BROKER"], backend=os.environ["NAIVE_BACKEND"])
s3 = boto3.client("s3", region_name="eu-central-1")
app = FastAPI()
asyncio.set_event_loop(asyncio.new_event_loop())  # Python 3.12 and later deprecate that Mangum makes one
handler = Mangum(app, lifespan="off")


class Question(BaseModel):
    """One row."""

    features: dict[str, float]


@app.post("/predict/async/")
def predict(question: Question) -> dict[str, str]:
    """Send the task."""
    return {"task_id": celery.send_task("cold", args=[question.features], queue="cold").id}
