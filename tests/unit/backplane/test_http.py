"""What every function's application does around its routes: ids, problems, both forms of a path, the log."""

import json
import logging
import re
from collections.abc import Iterator

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.testclient import TestClient

from tandem.backplane.access_log import log as access_log
from tandem.backplane.errors import QueueFull, TandemError
from tandem.backplane.http import FunctionApp, create_app, direct_route, route
from tandem.backplane.logs import JsonFormatter
from tandem.backplane.parameters import Integer

SECRET = "s3cr3t"


def make_app() -> FunctionApp:
    """Make an application whose routes fail in every way."""
    app = create_app("Test", "Routes that fail")

    @route(app, "GET", "/full/")
    async def full() -> None:
        raise QueueFull

    @route(app, "GET", "/ours")
    async def ours() -> None:
        raise TandemError

    @route(app, "GET", "/defect")
    async def defect() -> None:
        raise RuntimeError(SECRET)

    @route(app, "GET", "/number/{number}")
    async def number(number: Integer) -> int:
        return number

    return app


@pytest.fixture
def client() -> Iterator[TestClient]:
    """A client of that application."""
    with TestClient(make_app()) as made:
        yield made


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "/nowhere", 404, "not-found"),
        ("PUT", "/full", 405, "method-not-allowed"),
        ("GET", "/full", 503, "queue-full"),
        ("GET", "/full/", 503, "queue-full"),
        ("GET", "/ours/", 500, "internal-error"),
        ("GET", "/defect", 500, "internal-server-error"),
        ("GET", f"/number/{SECRET}", 422, "invalid-request"),
    ],
)
def test_every_error_is_a_problem(client: TestClient, method: str, path: str, status: int, kind: str) -> None:
    """With the members of RFC 9457, the request's id, and nothing of the inside."""
    answer = client.request(method, path, headers={"X-Request-Id": "abc-1"})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["type"] == f"/problems/{kind}"
    assert problem["status"] == status
    assert problem["instance"] == path
    assert problem["request_id"] == "abc-1"
    assert problem["title"]
    assert problem["detail"]
    assert "Traceback" not in answer.text
    assert SECRET not in json.dumps({**problem, "instance": ""})


def test_a_503_says_when_to_come_back(client: TestClient) -> None:
    """Retry-After is the error's own."""
    assert client.get("/full").headers["retry-after"] == "5"


def test_a_405_says_what_is_allowed(client: TestClient) -> None:
    """RFC 9110 asks for Allow."""
    assert client.post("/full").headers["allow"] == "GET"


@pytest.mark.parametrize("text", ["42.0", " 42", "4_2", "+42", "0x2a", "٤٢", "1e3", "x", "9" * 5_000])
def test_an_integer_in_a_path_is_digits(client: TestClient, text: str) -> None:
    """Other readings that pydantic would allow are 422, and the value is not repeated in the errors."""
    answer = client.get(f"/number/{text}")
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"loc": ["path", "number"], "msg": "must be an integer"}]
    assert len(answer.content) < 1_000


def test_nothing_is_redirected(client: TestClient) -> None:
    """Both forms of a path are routes of their own."""
    for path in ("/number/7", "/number/7/"):
        answer = client.get(path, follow_redirects=False)
        assert answer.status_code == 200
        assert answer.json() == 7


@pytest.mark.parametrize("given", [None, "a" * 129, "a b", "ü", '"', "a\tb", ""])
def test_a_request_without_a_sane_id_gets_one(client: TestClient, given: str | None) -> None:
    """Whatever could harm a log is replaced."""
    headers = [] if given is None else [(b"X-Request-Id", given.encode())]
    answer = client.get("/nowhere", headers=headers)
    assert re.fullmatch("[0-9a-f]{17,}-[0-9a-f]+", answer.headers["x-request-id"])
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


def test_a_request_is_one_line_of_the_log(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    """JSON, bounded, with the route and the outcome, without queries, headers or bodies."""
    # A server configures the log so that records no longer reach the root, where caplog listens.
    access_log.addHandler(caplog.handler)
    try:
        with caplog.at_level(logging.INFO, "tandem.access"):
            client.get(f"/number/{7:0500}?secret={SECRET}", headers={"X-Request-Id": "abc-1", "X": SECRET})
    finally:
        access_log.removeHandler(caplog.handler)
    [record] = {id(record): record for record in caplog.records if record.name == "tandem.access"}.values()
    line = JsonFormatter().format(record)
    assert SECRET not in line
    assert len(line) < 600
    logged = json.loads(line)
    assert logged["request_id"] == "abc-1"
    assert logged["method"] == "GET"
    assert logged["route"] == "/number/{number}"
    assert logged["status"] == 200
    assert logged["seconds"] >= 0


def test_problems_are_documented() -> None:
    """Each route's OpenAPI entry says that its errors are problem objects; the second form is left out."""
    document = make_app().openapi()
    assert set(document["paths"]) == {"/full/", "/ours", "/defect", "/number/{number}"}
    answers = document["paths"]["/full/"]["get"]["responses"]
    assert set(answers["4XX"]["content"]) == {"application/problem+json"}
    assert "request_id" in document["components"]["schemas"]["Problem"]["properties"]


def test_a_direct_route_is_answered_before_any_is_compiled() -> None:
    """In both forms; the others come with the first request for one, and all are in the document."""
    app = create_app("Test", "Direct and not")

    @direct_route(app, "/direct/")
    async def direct(request: Request) -> Response:
        return PlainTextResponse(request.scope["route"].path)

    @route(app, "GET", "/other/{number}")
    async def other(number: Integer) -> int:
        return number

    client = TestClient(app)
    for path in ("/direct", "/direct/"):
        assert client.post(path).text == path
    assert not app.router.routes
    assert client.get("/other/7").json() == 7
    assert client.get("/direct/").status_code == 405
    assert set(app.openapi()["paths"]) == {"/direct/", "/other/{number}"}
    assert len(app.routes) == 4
