"""Three small functions that stand where the real ones do, with routes that overlap as theirs do."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from fastapi import FastAPI, HTTPException, Request, Response

from local.gateway import Function
from tandem.backplane import problems
from tandem.backplane.request_boundary import RequestBoundary

if TYPE_CHECKING:
    from starlette.types import ASGIApp


def new_app() -> FastAPI:
    """A function without routes, with the answers to errors that all functions share."""
    app = FastAPI(redirect_slashes=False, openapi_url=None)
    app.add_middleware(RequestBoundary)
    problems.install(app)
    return app


def apps() -> dict[str, FastAPI]:
    """The functions by name, in the gateway's order."""
    status, sync, late = new_app(), new_app(), new_app()

    @status.get("/health/live")
    def live() -> dict[str, str]:
        return {"function": "task_status"}

    @sync.get("/health/live")
    def not_asked() -> dict[str, str]:
        return {"function": "predict_sync"}

    @status.get("/monitoring/task_status/{task_id}")
    def state(task_id: str) -> dict[str, str]:
        return {"task_id": task_id}

    @status.delete("/monitoring/task_status/{task_id}")
    def cancel(task_id: str) -> dict[str, str]:
        return {"canceled": task_id}

    @sync.post("/predict/")
    @sync.post("/predict", include_in_schema=False)
    async def predict(request: Request) -> Response:
        if "late" in request.query_params:
            raise HTTPException(504)
        seen = [(name, value) for name, value in request.headers.items() if name.startswith(("x-", "te"))]
        answer = Response(await request.body(), headers={"x-query": request.url.query, "x-seen": str(seen)})
        answer.headers.append("set-cookie", "a=1")
        answer.headers.append("set-cookie", "b=2")
        return answer

    @sync.get("/predict/matches/")
    def matches() -> list[int]:
        return [1]

    @sync.get("/predict/{match_id}")
    def predict_match(match_id: int) -> dict[str, int]:
        return {"match_id": match_id, "pid": os.getpid()}

    @late.post("/predict/async/", status_code=202)
    def accept() -> dict[str, str]:
        return {"status": "submitted"}

    return {"task_status": status, "predict_sync": sync, "predict_async": late}


def in_process() -> list[Function]:
    """All of them in the gateway's own process."""
    return [Function(name, app, app) for name, app in apps().items()]


def elsewhere(answer: ASGIApp) -> list[Function]:
    """All of them behind `answer`."""
    return [Function(name, app, answer) for name, app in apps().items()]
