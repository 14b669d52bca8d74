"""Paths and queries that fit nothing."""

from __future__ import annotations

import pytest

from tests.integration.contract.deployment import Deployment, assert_problem, named


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("text", ["abc", "4.0", "4_2", "0x2a", "1e3", "%2042", "٤٢", "match"])
def test_a_match_id_that_is_no_integer_is_422(silent: Deployment, text: str, slash: str) -> None:
    """Neither form of the path answers 404 or 500."""
    answer = silent.call("GET", f"/predict/{text}{slash}")
    assert named(assert_problem(answer, 422, "invalid-request")) == {("path", "match_id")}


@pytest.mark.parametrize("match_id", ["123456789", "-1", "9" * 30])
def test_a_match_nobody_knows_is_404(silent: Deployment, match_id: str) -> None:
    """An integer it is, a match it is not."""
    assert_problem(silent.call("GET", f"/predict/{match_id}"), 404, "match-not-found")


def test_a_task_for_a_match_nobody_knows_is_404(silent: Deployment) -> None:
    """At once, and not as a failure later."""
    assert_problem(silent.post("/predict/async/", {"match_id": 123_456_789}), 404, "match-not-found")


@pytest.mark.parametrize("query", ["model=nobody", "alias=nobody", "model=nobody&alias=champion"])
def test_a_model_nobody_serves_is_404(silent: Deployment, query: str) -> None:
    """On every route that takes a model."""
    body = {"features": silent.features}
    assert_problem(silent.call("GET", f"/predict/model/info?{query}"), 404, "model-not-found")
    assert_problem(silent.post(f"/predict/?{query}", body), 404, "model-not-found")
    assert_problem(silent.post(f"/predict/async/?{query}", body), 404, "model-not-found")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/predict/matches/?limit=0", "limit"),
        ("/predict/matches/?limit=1001", "limit"),
        ("/predict/matches/?limit=ten", "limit"),
        ("/predict/matches?after=x", "after"),
        ("/predict/model/info?model=a/b", "model"),
        ("/predict/model/info?alias=" + "a" * 65, "alias"),
        ("/predict/42?alias=%00", "alias"),
        ("/monitoring/task_status/x?wait=21", "wait"),
        ("/monitoring/task_status/x?wait=-1", "wait"),
        ("/monitoring/task_status/x?wait=nan", "wait"),
    ],
)
def test_a_bad_query_is_422(silent: Deployment, path: str, name: str) -> None:
    """At its own name."""
    assert named(assert_problem(silent.call("GET", path), 422, "invalid-request")) == {("query", name)}


@pytest.mark.parametrize(
    "task_id",
    ["00000000-0000-4000-8000-000000000000", "x", "x" * 500, "..", "%00", "a%20b", "*"],
)
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_task_that_never_was_is_404(silent: Deployment, task_id: str, method: str) -> None:
    """Whatever its id looks like."""
    assert_problem(silent.call(method, f"/monitoring/task_status/{task_id}"), 404)


@pytest.mark.parametrize(
    "path", ["/", "/nowhere", "/predict//", "/predict/model", "/monitoring/", "/favicon.ico"]
)
def test_a_route_that_is_not_there_is_a_problem(silent: Deployment, path: str) -> None:
    """404, or 422 where the path would be a match's."""
    assert_problem(silent.call("GET", path), 422 if path == "/predict/model" else 404)


@pytest.mark.parametrize(
    ("method", "path"),
    [("PUT", "/predict/"), ("POST", "/predict/42"), ("GET", "/predict/async/"), ("POST", "/health/live")],
)
def test_a_method_that_is_not_there_is_405(silent: Deployment, method: str, path: str) -> None:
    """With the methods that are."""
    if path == "/predict/async/" and silent.broker is None:
        pytest.skip("behind one port this is GET /predict/{match_id}")
    answer = silent.call(method, path)
    assert_problem(answer, 405, "method-not-allowed")
    assert answer.headers["allow"]
