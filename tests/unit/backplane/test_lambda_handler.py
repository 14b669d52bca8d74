"""A Lambda handler: HTTP API events go through the application, anything else gets a clear answer."""

import asyncio
import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import Request
from starlette.responses import Response

from tandem.backplane.http import create_app, route
from tandem.backplane.lambda_handler import LambdaHandler, mangum_handler
from tests.integration.contract.calls import http_event

app = create_app("Test", "Echoes")


@route(app, "POST", "/echo")
async def echo(request: Request) -> Response:
    """Give the body back under the media type asked for."""
    return Response(await request.body(), media_type=request.headers["x-media-type"])


@route(app, "GET", "/loop")
async def loop() -> int:
    """Tell one event loop from another."""
    return id(asyncio.get_running_loop())


@pytest.fixture
def handler() -> Iterator[LambdaHandler]:
    """A handler, closed afterwards."""
    made = mangum_handler(app)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("media_type", "as_text"),
    [
        ("application/json", True),
        ("application/problem+json", True),
        ("application/x-ndjson", True),
        ("text/csv", True),
        ("application/octet-stream", False),
    ],
)
def test_text_travels_as_text(handler: LambdaHandler, media_type: str, *, as_text: bool) -> None:
    """Problems and JSON lines too; only what is binary comes back as base64."""
    event = http_event("POST", "/echo", {"x-media-type": media_type}, b"body")
    answer = handler(event, None)
    assert answer["statusCode"] == 200
    assert answer["isBase64Encoded"] is not as_text
    assert answer["body"] == ("body" if as_text else base64.b64encode(b"body").decode())


def test_a_body_in_base64_is_decoded(handler: LambdaHandler) -> None:
    """API Gateway sends whatever is not text that way."""
    event = http_event("POST", "/echo", {"x-media-type": "text/plain"}, b"")
    event |= {"body": base64.b64encode("é".encode()).decode(), "isBase64Encoded": True}
    assert handler(event, None)["body"] == "é"


def test_the_gateways_request_id_is_ours(handler: LambdaHandler) -> None:
    """And not a header's: one id in the gateway's log, in ours and in the answer."""
    event = http_event("GET", "/nowhere", {"x-request-id": "the-callers"}, b"")
    answer = handler(event, None)
    assert answer["headers"]["x-request-id"] == event["requestContext"]["requestId"]
    assert json.loads(answer["body"])["request_id"] == event["requestContext"]["requestId"]


def test_calls_share_one_event_loop(handler: LambdaHandler) -> None:
    """Connections live as long as their loop; an `asyncio.run` in between takes nothing away."""
    first = handler(http_event("GET", "/loop", {}, b""), None)["body"]
    asyncio.run(asyncio.sleep(0))
    assert handler(http_event("GET", "/loop", {}, b""), None)["body"] == first


@pytest.mark.parametrize(
    "event",
    [
        {},
        None,
        [],
        "warm up",
        {"source": "aws.events", "detail-type": "Scheduled Event"},
        {"Records": [{"eventSource": "aws:s3"}]},
        {"requestContext": {}},
        {"version": "2.0", "requestContext": {"http": {}}},
        {
            "version": "2.0",
            "requestContext": {"http": {"method": "GET", "path": "/loop", "sourceIp": "::1"}},
            "headers": None,
        },
    ],
)
def test_any_other_event_is_answered_and_not_a_crash(handler: LambdaHandler, event: Any) -> None:
    """With one problem that says what is answered here."""
    answer = handler(event, None)
    assert answer["statusCode"] == 400
    assert answer["headers"]["content-type"] == "application/problem+json"
    assert json.loads(answer["body"])["status"] == 400


def test_a_host_that_is_no_host_is_no_crash(handler: LambdaHandler) -> None:
    """What the adapter cannot read is the caller's fault."""
    answer = handler(http_event("GET", "/loop", {"host": "a:b:c"}, b""), None)
    assert answer["statusCode"] == 400
