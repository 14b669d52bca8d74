"""The gateway sends a request to the function whose route it is, and adds nothing of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from starlette.testclient import TestClient

from local import metrics
from local.gateway import Gateway
from tests.unit.local.standin_functions import in_process

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def client() -> Iterator[TestClient]:
    """A client of a gateway before the stand-in functions."""
    with TestClient(Gateway(in_process), follow_redirects=False) as running:
        yield running


def sample(name: str) -> float:
    """The value of one line of the exposition; 0 when there is no such line."""
    lines = metrics.exposition().decode().splitlines()
    return next((float(line.rsplit(" ", 1)[1]) for line in lines if line.rsplit(" ", 1)[0] == name), 0.0)


@pytest.mark.parametrize(
    ("method", "path", "answer"),
    [
        ("GET", "/health/live", {"function": "task_status"}),
        ("GET", "/monitoring/task_status/7", {"task_id": "7"}),
        ("DELETE", "/monitoring/task_status/7", {"canceled": "7"}),
        ("POST", "/predict/async/", {"status": "submitted"}),
        ("GET", "/predict/matches/", [1]),
    ],
)
def test_a_request_goes_to_the_route_that_fits_it(
    client: TestClient, method: str, path: str, answer: object
) -> None:
    """Also where another function has a route for the same path and another method."""
    assert client.request(method, path).json() == answer


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PUT", "/monitoring/task_status/7", "DELETE, GET"),
        ("DELETE", "/predict/async/", "POST"),
        ("PATCH", "/predict/7", "GET"),
    ],
)
def test_a_wrong_method_is_told_the_right_ones(
    client: TestClient, method: str, path: str, allow: str
) -> None:
    """405 is a problem, and Allow names the methods of all routes of the path."""
    answer = client.request(method, path)
    assert answer.status_code == 405
    assert answer.headers["allow"] == allow
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_path_that_nobody_has_is_a_problem(client: TestClient) -> None:
    """404 in the contract's form; a missing slash is not redirected to where there is a route."""
    for path in ("/nothing", "/predict/matches"):
        answer = client.get(path)
        assert answer.status_code in {404, 422}
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["request_id"] == answer.headers["x-request-id"]


def test_requests_for_a_prediction_are_counted_by_their_route(client: TestClient) -> None:
    """Whether the caller waits decides; every answer counts, a 504 twice, and no other route does."""
    sync, late = 'prediction_requests_total{source="sync"}', 'prediction_requests_total{source="async"}'
    before = [sample(sync), sample(late), sample("prediction_timeouts_total")]
    client.get("/predict/7")
    client.get("/predict/no-number")
    client.post("/predict/")
    client.post("/predict", params={"late": "1"})
    client.post("/predict/async/")
    for path in ("/predict/matches/", "/health/live", "/nothing"):
        client.get(path)
    client.delete("/predict/7")
    after = [sample(sync), sample(late), sample("prediction_timeouts_total")]
    assert [now - then for now, then in zip(after, before, strict=True)] == [4, 1, 1]


def test_the_labels_of_durations_are_few(client: TestClient) -> None:
    """Neither paths nor ids become labels, whatever callers send."""
    for number in range(50):
        client.get(f"/nothing/{number}")
        client.request(f"M{number}", f"/predict/{number}")
    shown = client.get("/metrics")
    assert shown.headers["content-type"].startswith("text/plain")
    counts = [
        line for line in shown.text.splitlines() if line.startswith("http_request_duration_seconds_count")
    ]
    assert 0 < len(counts) <= 12
    assert all('function="' in line and 'status="' in line for line in counts)


def test_one_document_shows_the_routes_of_all_functions(client: TestClient) -> None:
    """The routes of all functions, each once, and a page that loads it."""
    document = client.get("/openapi.json").json()
    assert set(document["paths"]) == {
        "/health/live",
        "/monitoring/task_status/{task_id}",
        "/predict/",
        "/predict/matches/",
        "/predict/{match_id}",
        "/predict/async/",
    }
    assert set(document["paths"]["/monitoring/task_status/{task_id}"]) == {"get", "delete"}
    assert "/openapi.json" in client.get("/docs").text
