"""Alive, and able to serve: the routes that every function answers for itself."""

import asyncio
from collections.abc import Awaitable

from fastapi import Request
from starlette.responses import JSONResponse, Response

from tandem.backplane.edge import Edge, edge
from tandem.backplane.errors import PROBLEM_TYPE_PREFIX, TandemError, Unavailable
from tandem.backplane.http import FunctionApp, route
from tandem.backplane.problems import problem_response
from tandem.backplane.store import store_errors


async def readiness(wired: Edge) -> dict[str, str]:
    """What serving needs (broker, store, a worker with the model), each "ok" or the type of its problem."""
    names = ("broker", "store", "workers")
    found = await asyncio.gather(
        _checked(wired.publisher.ping()), _checked(_ask_store(wired)), _checked(_ask_workers(wired))
    )
    return dict(zip(names, found, strict=True))


async def _checked(check: Awaitable[None]) -> str:
    try:
        await check
    except TandemError as error:
        return error.type
    return "ok"


async def _ask_store(wired: Edge) -> None:
    with store_errors():
        await wired.client.ping()


async def _ask_workers(wired: Edge) -> None:
    catalog = await wired.catalog.read()
    catalog.require_worker(wired.settings.match_model, wired.settings.model_alias)


async def live() -> JSONResponse:
    """Alive: the process answers, whatever it depends on."""
    return JSONResponse({"status": "alive"})


async def ready(request: Request) -> Response:
    """Able to serve: broker, store and a worker with the model answer; else a 503 that names the absent."""
    checks = await readiness(edge())
    if all(found == "ok" for found in checks.values()):
        return JSONResponse({"status": "ready", "checks": checks})
    missing = ", ".join(name for name, found in checks.items() if found != "ok")
    problem = {
        "type": f"{PROBLEM_TYPE_PREFIX}not-ready",
        "title": "Not ready",
        "status": Unavailable.status,
        "detail": f"Not available at present: {missing}.",
        "checks": checks,
    }
    return problem_response(request.scope, problem)


def add_health_routes(app: FunctionApp) -> None:
    """Add the health routes to a function's application."""
    route(app, "GET", "/health/live", tags=["health"])(live)
    route(app, "GET", "/health/ready", tags=["health"])(ready)
    route(app, "GET", "/healthcheck/", tags=["health"])(ready)
