"""All functions behind one port, for compose and `make run`: what API Gateway is on AWS.

Every function's own routes decide where a request goes, so a route is declared once. A function runs in this
process, or where `<NAME>_URL` says (`PREDICT_SYNC_URL` and so on). Nothing is redirected.
"""

import importlib
import os
import pkgutil
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import cached_property
from typing import Any, NamedTuple

from fastapi import FastAPI
from starlette.routing import Match, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import functions
from local import metrics
from local.admission import Admission
from local.gateway_routes import gateway_app
from local.upstream import Upstream
from tandem.backplane.errors import NotAllowed, NotAuthenticated, SecretUnavailable, TandemError
from tandem.backplane.problems import error_response
from tandem.backplane.request_boundary import RequestBoundary
from tandem.backplane.settings import settings, settings_at_start

FIRST = "task_status"
"""Every function answers /health when it is alone; behind the gateway this one speaks for all."""
HEALTH = "/health"
CLIENT_GONE = 499
METHOD_NOT_ALLOWED = 405


class Function(NamedTuple):
    """One function: `app` has its routes, `answer` is the app itself or the way to where it runs."""

    name: str
    app: FastAPI
    answer: ASGIApp


class Found(NamedTuple):
    """Where a request goes: the function, the template of its route, and the methods the resource knows."""

    function: Function
    route: str
    methods: frozenset[str]


def deployed(environ: Mapping[str, str]) -> list[Function]:
    """Every folder of `functions/`, in this process or at the URL that `environ` gives for it."""
    names = [module.name for module in pkgutil.iter_modules(functions.__path__) if module.ispkg]
    found = []
    for name in sorted(names, key=lambda name: (name != FIRST, name)):
        app = getattr(importlib.import_module(f"functions.{name}.app"), "app", None)
        if app is None:
            continue  # the authorizer, whose part `local/admission.py` plays here
        url = environ.get(f"{name.upper()}_URL")
        found.append(Function(name, app, app if url is None else _upstream(name, url)))
    return found


def _upstream(name: str, url: str) -> Upstream:
    given = settings()
    return Upstream(name, url, wait_seconds=given.sync_timeout_seconds, max_body_bytes=given.max_body_bytes)


class Gateway:
    """The ASGI application; `load` gives its functions, and is called when the first of them is needed."""

    def __init__(self, load: Callable[[], list[Function]]) -> None:
        self._load = load

    @cached_property
    def functions(self) -> list[Function]:
        """The functions, and last the gateway's own routes, which also answer what nobody else does."""
        loaded = self._load()
        own = gateway_app([function.app for function in loaded])
        return [*loaded, Function("gateway", own, own)]

    @cached_property
    def admission(self) -> Admission:
        """Who may pass."""
        return Admission(settings().api_keys_secret)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] == "lifespan":
            await Router(lifespan=self._running)(scope, receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1000})

    @cached_property
    def _fixed(self) -> dict[tuple[str, str], Found]:
        """The routes without parameters, by method and path: the others are tried one after another."""
        found: dict[tuple[str, str], Found] = {}
        for function in self.functions:
            for route in function.app.routes:
                path: str = getattr(route, "path", "{")
                if "{" not in path:
                    for method in getattr(route, "methods", None) or ():
                        found.setdefault((method, path), Found(function, path, frozenset()))
        return found

    def find(self, scope: Scope) -> Found:
        """A route that fits; else one that fits but for the method (405); else the gateway's own (404)."""
        if (fixed := self._fixed.get((scope["method"], scope["path"]))) is not None:
            return fixed
        partial: list[tuple[Function, Any]] = []
        for function in self.functions:
            for route in function.app.routes:
                match, _ = route.matches(scope)
                if match is Match.FULL:
                    return Found(function, route.path, frozenset())  # type: ignore[attr-defined]
                if match is Match.PARTIAL:
                    partial.append((function, route))
        if not partial:
            return Found(self.functions[-1], "", frozenset())
        function, route = partial[0]
        methods = frozenset(method for _, other in partial for method in other.methods)
        return Found(function, route.path, methods)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = self.find(scope)
        status = CLIENT_GONE
        started = time.perf_counter()

        async def send_on(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if status == METHOD_NOT_ALLOWED and found.methods:
                    # One function knows only its own methods of a path.
                    allow = (b"allow", ", ".join(sorted(found.methods)).encode())
                    kept = [header for header in message["headers"] if header[0].lower() != b"allow"]
                    message = {**message, "headers": [*kept, allow]}
            await send(message)

        # Whoever watches from outside holds no key; neither does whoever reads the documents.
        is_open = found.function is self.functions[-1] or found.route.startswith(HEALTH)
        try:
            admitted = await self.admission.admit(scope, is_open=is_open)
        except (NotAuthenticated, NotAllowed, SecretUnavailable) as error:
            await RequestBoundary(_refusal(error))(dict(scope), receive, send_on)
        else:
            await found.function.answer(admitted, receive, send_on)
        finally:
            seconds = time.perf_counter() - started
            metrics.observe(found.function.name, scope["method"], found.route, status, seconds)

    @asynccontextmanager
    async def _running(self, _app: Any) -> AsyncIterator[None]:
        """Run what the functions of this process do at start and end, and close the ways to the others."""
        async with AsyncExitStack() as stack:
            for function in self.functions:
                if isinstance(function.answer, Upstream):
                    stack.push_async_callback(function.answer.close)
                else:
                    await stack.enter_async_context(function.app.router.lifespan_context(function.app))
            yield


def _refusal(error: TandemError) -> ASGIApp:
    """An application whose only answer is `error`."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        # A 401 must name a scheme (RFC 9110, section 15.5.2).
        challenge = {"WWW-Authenticate": "ApiKey"} if isinstance(error, NotAuthenticated) else {}
        await error_response(scope, error, challenge)(scope, receive, send)

    return answer


settings_at_start("gateway")
app = Gateway(lambda: deployed(os.environ))
