"""One function's HTTP application: what all of them have in common, and nothing of any route."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig

from tandem.backplane import logs, problems
from tandem.backplane.edge import close_edge
from tandem.backplane.openapi import PROBLEM_RESPONSES, PROBLEM_SCHEMAS
from tandem.backplane.request_boundary import RequestBoundary
from tandem.backplane.settings import settings

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])

# FastAPI's own would hand the values that a caller sent to whatever processor is there.
_NO_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "operation_spans": False}


class FunctionApp(FastAPI):
    """A FastAPI application that documents its problems."""

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document of this function's routes."""
        document = super().openapi()
        document.setdefault("components", {}).setdefault("schemas", {}).update(PROBLEM_SCHEMAS)
        return document


@asynccontextmanager
async def _lifespan(_app: FastAPI) -> AsyncIterator[None]:
    """Close the adapters when a server stops; a Lambda function, which is never told, has no lifespan."""
    logs.configure(settings().log_level)
    yield
    await close_edge()


def create_app(title: str, description: str) -> FunctionApp:
    """Make an application without routes. The gateway shows the documents of all; none serves its own."""
    app = FunctionApp(
        title=title,
        description=description,
        redirect_slashes=False,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
        telemetry=_NO_TELEMETRY,
        responses=PROBLEM_RESPONSES,
    )
    app.add_middleware(RequestBoundary)
    problems.install(app)
    return app


def route(app: FastAPI, method: str, path: str, **options: Any) -> Callable[[Endpoint], Endpoint]:
    """Register an endpoint under `path` and, undocumented, under its other form of the trailing slash."""
    other = path.rstrip("/") if path.endswith("/") else path + "/"

    def register(endpoint: Endpoint) -> Endpoint:
        app.add_api_route(path, endpoint, methods=[method], **options)
        app.add_api_route(other, endpoint, methods=[method], **{**options, "include_in_schema": False})
        return endpoint

    return register
