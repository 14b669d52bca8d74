"""One function's HTTP application: what all of them have in common, and nothing of any route.

Routes are FastAPI's. Those that predict are dispatched past it (`direct`): its way from the server to an
endpoint and back costs as much as all that the endpoint does (ADR 11). Where there are such, FastAPI compiles
routes when they are first needed: it takes 25 ms, which a function that is started to predict does without.
"""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, TypeVar

from fastapi import FastAPI, Request
from fastapi.telemetry import TelemetryConfig
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from tandem.backplane import logs, problems
from tandem.backplane.edge import close_edge
from tandem.backplane.errors import TandemError
from tandem.backplane.openapi import PROBLEM_RESPONSES, PROBLEM_SCHEMAS
from tandem.backplane.request_boundary import RequestBoundary
from tandem.backplane.settings import settings, settings_at_start

NEEDED_IN_LAMBDA = ("BROKER_URL", "REDIS_URL")
"""Elsewhere they may be on the same machine, where their defaults look."""

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])

# FastAPI's own would hand the values that a caller sent to whatever processor is there.
_NO_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "operation_spans": False}


Direct = Callable[[Request], Awaitable[Response]]
"""An endpoint that takes the request alone and gives the response itself."""


class DirectRoute(NamedTuple):
    """What log and metrics ask of the route in a scope."""

    path: str


class FunctionApp(FastAPI):
    """A FastAPI application that documents its problems."""

    def __init__(self, **options: Any) -> None:
        self.direct: dict[tuple[str, str], ASGIApp] = {}
        """By method and path."""
        self._uncompiled: list[Callable[[], None]] = []
        super().__init__(**options)

    def add_route_later(self, add: Callable[[], None]) -> None:
        """Have `add` called when routes are needed: now, unless there are direct ones before them."""
        self._uncompiled.append(add)
        if not self.direct:
            self._compile_routes()

    def _compile_routes(self) -> None:
        uncompiled, self._uncompiled = self._uncompiled, []
        for add in uncompiled:
            add()

    @property
    def routes(self) -> list[BaseRoute]:
        """Every route."""
        self._compile_routes()
        return super().routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        direct = None
        if scope["type"] == "http" and not scope.get(
            "root_path"
        ):  # behind a prefix, the path is FastAPI's to read
            direct = self.direct.get((scope["method"], scope["path"]))
        if direct is None:
            self._compile_routes()
        await (direct or super().__call__)(scope, receive, send)

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
    """Make an application without routes. The gateway shows the documents of all; none serves its own.

    Where a setting is wrong, or in Lambda an address missing, the process ends here, before any request.
    """
    settings_at_start(title, needed=NEEDED_IN_LAMBDA if "AWS_LAMBDA_FUNCTION_NAME" in os.environ else ())
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


def _dispatched(endpoint: Direct, path: str) -> ASGIApp:
    """The endpoint as an application: what FastAPI would do of it that is used here."""
    route = DirectRoute(path)

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = route
        try:
            response = await endpoint(Request(scope, receive))
        except TandemError as error:
            response = problems.error_response(scope, error)
        await response(scope, receive, send)

    return RequestBoundary(answer)


def _other_form(path: str) -> str:
    return path.rstrip("/") if path.endswith("/") else path + "/"


def route(app: FunctionApp, method: str, path: str, **options: Any) -> Callable[[Endpoint], Endpoint]:
    """Register an endpoint under `path` and, undocumented, under its other form of the trailing slash."""

    def register(endpoint: Endpoint) -> Endpoint:
        def add() -> None:
            app.add_api_route(path, endpoint, methods=[method], **options)
            undocumented = options | {"include_in_schema": False}
            app.add_api_route(_other_form(path), endpoint, methods=[method], **undocumented)

        app.add_route_later(add)
        return endpoint

    return register


def direct_route(app: FunctionApp, path: str, **options: Any) -> Callable[[Direct], Direct]:
    """Register a POST endpoint as `route` does, and dispatch to it past FastAPI. `path` has no parameters."""

    def register(endpoint: Direct) -> Direct:
        for form in (path, _other_form(path)):
            app.direct["POST", form] = _dispatched(endpoint, form)
        return route(app, "POST", path, **options)(endpoint)

    return register
