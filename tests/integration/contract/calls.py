"""One call, three ways to make it: through ASGI, as an API Gateway event to the handler, over HTTP.

`path` may have a query. An Answer looks the same whichever way it came.
"""

from __future__ import annotations

import base64
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import httpx
from starlette.testclient import TestClient

import functions.operations.app
import functions.predict_async.app
import functions.predict_sync.app
import functions.task_status.app
import functions.uploads.app
from tandem.backplane.strict_json import parse_strict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tandem.backplane.http import FunctionApp
    from tandem.backplane.lambda_handler import LambdaHandler

TIMEOUT_SECONDS = 40
REQUEST_ID = "JKJaXmPLvHcESHA="
CALLER = "x-tandem-caller"
"""The header by which a gateway says who calls; in an event it is the authorizer that says so."""


@dataclass(frozen=True)
class Answer:
    """Status, headers in lower case, and body of one answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body, which must be strict JSON."""
        return parse_strict(self.body)


class Call(Protocol):
    """Make one call."""

    def __call__(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Answer:
        """Give the answer; a body goes without a media type unless `headers` has one."""
        ...


def function_of(path: str) -> Any:
    """The module of the function that the template routes `path` to."""
    if path.startswith("/predict/async") or "/batch" in path:
        return functions.predict_async.app
    if path.startswith("/predict"):
        return functions.predict_sync.app
    if path.startswith("/monitoring/celery"):
        return functions.operations.app
    if path.startswith("/uploads"):
        return functions.uploads.app
    return functions.task_status.app


def http_event(method: str, path: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """An event of an HTTP API, payload 2.0, as API Gateway writes it."""
    route, _, query = path.partition("?")
    headers = _joined(headers)
    caller = headers.pop(CALLER, None)
    text = _text_of(body)
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": route,
        "rawQueryString": query,
        "headers": {"host": "api.example.org", "x-forwarded-proto": "https", **headers},
        "requestContext": {
            **({"authorizer": {"lambda": {"caller": caller}}} if caller else {}),
            "accountId": "123456789012",
            "apiId": "api",
            "domainName": "api.example.org",
            "http": {
                "method": method,
                "path": route,
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
                "userAgent": "test",
            },
            "requestId": REQUEST_ID,
            "routeKey": "$default",
            "stage": "$default",
            "time": "25/Apr/2026:14:00:00 +0000",
            "timeEpoch": 1777125600000,
        },
        "body": base64.b64encode(body).decode() if text is None else text,
        "isBase64Encoded": text is None,
    }


def answer_of(returned: Mapping[str, Any]) -> Answer:
    """What API Gateway makes of what a function returned."""
    content = returned.get("body", "").encode()
    if returned["isBase64Encoded"]:
        content = base64.b64decode(content)
    return Answer(returned["statusCode"], returned.get("headers", {}), content)


def _joined(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _text_of(body: bytes) -> str | None:
    try:
        return body.decode()
    except UnicodeDecodeError:
        return None


@contextmanager
def through_asgi() -> Iterator[Call]:
    """Call the applications as a server would, lifespan and all."""
    with ExitStack() as stack:
        clients: dict[int, TestClient] = {}

        def call(
            method: str, path: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
        ) -> Answer:
            app: FunctionApp = function_of(path).app
            if id(app) not in clients:
                clients[id(app)] = stack.enter_context(TestClient(app))
            answer = clients[id(app)].request(
                method, path, headers=dict(headers or {}), content=body, follow_redirects=False
            )
            return Answer(answer.status_code, dict(answer.headers), answer.content)

        yield call


@contextmanager
def through_events() -> Iterator[Call]:
    """Call the handlers as Lambda does, with the events of API Gateway."""
    used: set[LambdaHandler] = set()

    def call(
        method: str, path: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Answer:
        handler: LambdaHandler = function_of(path).handler
        if handler not in used:
            handler.close()  # it may still be wired to another deployment
            used.add(handler)
        return answer_of(handler(http_event(method, path, headers or {}, body), None))

    try:
        yield call
    finally:
        for handler in used:
            handler.close()


@contextmanager
def over_http(base_url: str, api_key: str = "") -> Iterator[Call]:
    """Call a deployment that runs somewhere, with a key where it asks for one."""
    key = {"x-api-key": api_key} if api_key else {}
    with httpx.Client(
        base_url=base_url, headers=key, timeout=TIMEOUT_SECONDS, follow_redirects=False
    ) as client:

        def call(
            method: str, path: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
        ) -> Answer:
            answer = client.request(method, path, headers=dict(headers or {}), content=body)
            return Answer(answer.status_code, dict(answer.headers), answer.content)

        yield call


@contextmanager
def through_lambda(base_url: str) -> Iterator[Call]:
    """Call functions by Lambda's own API, with the events of API Gateway."""
    with httpx.Client(base_url=base_url, timeout=TIMEOUT_SECONDS) as client:

        def call(
            method: str, path: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
        ) -> Answer:
            name = function_of(path).__name__.split(".")[1]
            function = "".join(part.capitalize() for part in name.split("_")) + "Function"
            event = http_event(method, path, headers or {}, body)
            invoked = client.post(f"/2015-03-31/functions/{function}/invocations", json=event)
            return answer_of(invoked.raise_for_status().json())

        yield call
