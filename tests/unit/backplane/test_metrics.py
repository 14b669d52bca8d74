"""A request in Lambda is one line that CloudWatch makes metrics of, under the names that Prometheus knows."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from starlette.testclient import TestClient

from functions.predict_sync import app as function
from local import metrics as counted
from tandem.backplane.metrics import embedded_metrics
from tandem.backplane.request_boundary import RequestBoundary
from tests.integration.contract.calls import http_event

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import Receive, Scope, Send

    from tandem.backplane.lambda_handler import LambdaHandler

FUNCTION = "tandem-PredictSyncFunction-1A2B3C"


def shown(line: dict[str, Any]) -> dict[tuple[str, ...], float]:
    """What CloudWatch makes of a line (its specification of the format): values by metric and dimensions."""
    assert abs(line["_aws"]["Timestamp"] - time.time() * 1000) < 60_000
    found = {}
    for directive in line["_aws"]["CloudWatchMetrics"]:
        assert directive["Namespace"] == "Tandem"
        for metric in directive["Metrics"]:
            assert metric["Unit"] in {"Count", "Seconds"}
            for dimensions in directive["Dimensions"]:
                assert len(dimensions) <= 30
                values = tuple(line[dimension] for dimension in dimensions)
                assert all(isinstance(value, str) for value in values)
                found[(metric["Name"], *values)] = line[metric["Name"]]
    return found


def line_of(method: str, route: str, status: int) -> dict[tuple[str, ...], float]:
    """What is shown of one request that took half a second."""
    now_ms = int(time.time() * 1000)
    return shown(embedded_metrics(FUNCTION, method, route, status=status, seconds=0.5, now_ms=now_ms))


@pytest.mark.parametrize(
    ("method", "route", "status", "source", "timeouts"),
    [
        ("POST", "/predict/", 200, "sync", 0),
        ("POST", "/predict", 504, "sync", 1),
        ("GET", "/predict/{match_id}", 422, "sync", 0),
        ("POST", "/predict/async/", 202, "async", 0),
    ],
)
def test_a_request_for_a_prediction_is_counted(
    method: str, route: str, status: int, source: str, timeouts: int
) -> None:
    """By whether its caller waits; and how often one has waited in vain, also when none has."""
    errors = {("http_errors_total", FUNCTION, "504"): 1} if status == 504 else {}
    assert line_of(method, route, status) == errors | {
        ("http_request_duration_seconds", FUNCTION, f"{status // 100}xx"): 0.5,
        ("prediction_requests_total", FUNCTION, source): 1,
        ("prediction_timeouts_total", FUNCTION): timeouts,
    }


@pytest.mark.parametrize(
    ("method", "route"), [("GET", "/predict/matches/"), ("GET", ""), ("PUT", "/predict/")]
)
def test_any_other_request_has_its_duration_and_its_error(method: str, route: str) -> None:
    """And a 504 of it is none of a prediction."""
    assert line_of(method, route, 404) == {("http_request_duration_seconds", FUNCTION, "4xx"): 0.5}
    assert line_of(method, route, 504) == {
        ("http_request_duration_seconds", FUNCTION, "5xx"): 0.5,
        ("http_errors_total", FUNCTION, "504"): 1,
    }


def test_the_names_are_those_that_the_gateway_shows() -> None:
    """A dashboard's question is the same question everywhere."""
    counted.observe("predict_sync", "POST", "/predict/", 504, 0.5)
    exposition = counted.exposition().decode()
    for name, *_ in line_of("POST", "/predict/", 504):
        assert f"\n{name}" in exposition


@pytest.fixture
def handler() -> Iterator[LambdaHandler]:
    """A function as Lambda has it."""
    function.handler.close()
    yield function.handler
    function.handler.close()


def embedded(printed: str) -> list[dict[str, Any]]:
    """The lines of a log that CloudWatch makes metrics of."""
    return [line for text in printed.splitlines() if "_aws" in (line := json.loads(text))]


def test_in_lambda_a_request_is_one_line(
    handler: LambdaHandler, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Counted by its route, and without a trace of who called or what with; elsewhere there is none."""
    event = http_event("GET", "/predict/no-number?model=private", {"x-api-key": "hunter2"}, b"")
    handler(event, None)
    assert embedded(capsys.readouterr().out) == []
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", FUNCTION)
    handler(event, None)
    [line] = embedded(capsys.readouterr().out)
    assert shown(line).keys() == line_of("GET", "/predict/{match_id}", 422).keys()
    assert not {"hunter2", "private", "no-number"} & set(json.dumps(line).split('"'))


def test_a_defect_is_counted_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """As 5xx, though Lambda counts no error."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", FUNCTION)

    async def defect(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise ZeroDivisionError

    assert TestClient(RequestBoundary(defect)).get("/").status_code == 500
    [line] = embedded(capsys.readouterr().out)
    assert shown(line).keys() == {
        ("http_request_duration_seconds", FUNCTION, "5xx"),
        ("http_errors_total", FUNCTION, "500"),
    }
