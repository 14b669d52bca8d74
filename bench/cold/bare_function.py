"""The least that a function on FastAPI can be: one route with a body, behind Mangum."""

import asyncio

from fastapi import FastAPI
from mangum import Mangum
from pydantic import BaseModel

app = FastAPI()
asyncio.set_event_loop(asyncio.new_event_loop())  # Python 3.12 and later deprecate that Mangum makes one
handler = Mangum(app, lifespan="off")


class Question(BaseModel):
    """One row."""

    features: dict[str, float]


@app.post("/predict/async/")
async def predict(question: Question) -> dict[str, int]:
    """Read and check the body, and no more."""
    return {"features": len(question.features)}
