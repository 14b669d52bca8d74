"""The gateway asks for keys where it is told to, and says to a function who calls."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI, Request
from httpx2 import Response
from starlette.testclient import TestClient

from local import keys
from local.gateway import Function, Gateway
from local.upstream import Upstream
from tandem.backplane.callers import caller_of, digest_of, new_key, read_api_keys
from tandem.backplane.settings import settings
from tests.unit.local.served import in_a_thread
from tests.unit.local.standin_functions import new_app

KEY, OLD = new_key(), new_key()
SECRET = {digest_of(KEY): "alice", digest_of(OLD): {"caller": "bob", "disabled": True}}


def telling() -> FastAPI:
    """A function that tells who calls, and what it got to see of it."""
    app = new_app()

    @app.get("/who")
    @app.get("/health/live")
    def who(request: Request) -> dict[str, object]:
        return {
            "caller": caller_of(request.scope, behind_gateway=True),
            "told": request.headers.getlist("x-tandem-caller"),
            "key": request.headers.get("x-api-key"),
        }

    return app


@pytest.fixture
def secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file with two keys, which the settings name."""
    path = tmp_path / "keys.json"
    path.write_text(json.dumps(SECRET))
    monkeypatch.setenv("API_KEYS_SECRET", f"file:{path}")
    settings.cache_clear()
    yield path
    settings.cache_clear()


@pytest.fixture(params=["in process", "elsewhere"])
def client(request: pytest.FixtureRequest, secret: Path) -> Iterator[TestClient]:
    """A client of a gateway before that function, which runs in its process or is asked over HTTP."""
    app = telling()
    if request.param == "in process":
        with TestClient(Gateway(lambda: [Function("f", app, app)])) as running:
            yield running
        return
    with in_a_thread(app) as url:
        upstream = Upstream("f", url, wait_seconds=30, max_body_bytes=1000)
        with TestClient(Gateway(lambda: [Function("f", app, upstream)])) as running:
            yield running


def refused(answer: Response, status: int, kind: str) -> None:
    """Check that it is a problem, with the id of the request."""
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == f"/problems/{kind}"
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


def test_a_function_learns_who_calls_and_not_the_key(client: TestClient) -> None:
    """Whatever the caller says itself."""
    headers = {"X-Api-Key": KEY, "X-Tandem-Caller": "mallory"}
    assert client.get("/who", headers=headers).json() == {"caller": "alice", "told": ["alice"], "key": None}


def test_a_caller_cannot_shed_its_name_on_the_way(client: TestClient) -> None:
    """By calling the gateway's header one that is between two hops; anonymous callers have tasks as well."""
    answer = client.get("/who", headers={"X-Api-Key": KEY, "Connection": "X-Tandem-Caller"})
    assert answer.json()["caller"] == "alice"


@pytest.mark.parametrize("key", [None, "", new_key(), f"{KEY},{KEY}"])
def test_nobody_without_a_key_that_is_known(client: TestClient, key: str | None) -> None:
    """401, with the scheme that the status asks for."""
    answer = client.get("/who", headers={} if key is None else {"X-Api-Key": key})
    refused(answer, 401, "not-authenticated")
    assert answer.headers["www-authenticate"] == "ApiKey"


def test_two_keys_are_none(client: TestClient) -> None:
    """API Gateway joins them to one that nobody has."""
    refused(client.get("/who", headers=[("X-Api-Key", KEY), ("X-Api-Key", KEY)]), 401, "not-authenticated")


def test_a_disabled_key_is_told_so(client: TestClient) -> None:
    """403."""
    refused(client.get("/who", headers={"X-Api-Key": OLD}), 403, "not-allowed")


def test_what_is_open_stays_open(client: TestClient) -> None:
    """Health, the documents and the counts ask for no key; and there nobody is anybody."""
    for path in ("/docs", "/openapi.json", "/metrics"):
        assert client.get(path).status_code == 200
    assert client.get("/nothing").status_code == 404
    headers = {"X-Api-Key": KEY, "X-Tandem-Caller": "mallory"}
    assert client.get("/health/live", headers=headers).json() == {"caller": "", "told": [], "key": None}


def test_without_a_secrets_name_everybody_passes_nameless(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `make run` starts it; nobody is whom they say they are."""
    monkeypatch.delenv("API_KEYS_SECRET", raising=False)
    settings.cache_clear()
    app = telling()
    with TestClient(Gateway(lambda: [Function("f", app, app)])) as client:
        found = client.get("/who", headers={"X-Tandem-Caller": "mallory"}).json()
    assert found == {"caller": "", "told": [], "key": None}


def test_where_the_keys_cannot_be_read_nobody_passes(secret: Path) -> None:
    """503 with Retry-After, also for a right key; health still answers."""
    secret.unlink()
    app = telling()
    with TestClient(Gateway(lambda: [Function("f", app, app)])) as client:
        answer = client.get("/who", headers={"X-Api-Key": KEY})
        refused(answer, 503, "secret-unavailable")
        assert int(answer.headers["retry-after"]) >= 1
        assert client.get("/health/live").status_code == 200


def test_a_key_that_is_made_is_a_key(capsys: pytest.CaptureFixture[str]) -> None:
    """What `python -m local keys new NAME` prints for the secret is read, and the key is its caller's."""
    assert keys.main(["new", "carol"]) == 0
    key, member = (line.partition(": ")[2] for line in capsys.readouterr().out.splitlines())
    assert read_api_keys(f"{{{member}}}").caller(key) == "carol"


@pytest.mark.parametrize("arguments", [[], ["new"], ["new", "a/b"], ["old", "carol"], ["new", "carol", "x"]])
def test_anything_else_is_told_how_it_is_done(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """And makes no key."""
    assert keys.main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("usage: ")
