"""Idempotency-Key: one key and one body are one task, however often they are sent."""

from __future__ import annotations

import uuid

import pytest

from tests.integration.contract.deployment import Deployment, assert_problem

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def key() -> str:
    """A key nobody has used."""
    return uuid.uuid4().hex


def test_a_repetition_gets_the_first_answer(live: Deployment, key: str) -> None:
    """The same task, headers included."""
    body = {"features": live.features}
    first, second = (live.post("/predict/async/", body, idempotency_key=key) for _ in range(2))
    assert first.status == second.status == 202
    assert first.body == second.body
    assert first.headers["location"] == second.headers["location"]
    assert second.headers["retry-after"]


def test_a_repetition_of_a_waiting_request_is_answered_from_the_first(live: Deployment, key: str) -> None:
    """With the prediction itself; both forms of the path are one route."""
    body = {"match_id": 1, "features": live.features}
    first = live.post("/predict/", body, idempotency_key=key)
    second = live.post("/predict", body, idempotency_key=key)
    assert first.status == second.status == 200
    assert first.body == second.body


@pytest.mark.parametrize("path", ["/predict/", "/predict/async/"])
def test_a_key_with_another_body_is_422(live: Deployment, path: str, key: str) -> None:
    """A key belongs to what it first came with."""
    first = live.post(path, {"features": live.features}, idempotency_key=key)
    assert first.status in {200, 202}
    other = live.post(path, {"match_id": 1, "features": live.features}, idempotency_key=key)
    assert_problem(other, 422, "invalid-request")


def test_a_key_says_nothing_of_another_route(live: Deployment, key: str) -> None:
    """The same key may be used there for something else."""
    assert live.post("/predict/", {"features": live.features}, idempotency_key=key).status == 200
    assert live.post("/predict/async/", {"features": live.features}, idempotency_key=key).status == 202


def test_what_was_refused_is_not_kept(live: Deployment, key: str) -> None:
    """A fault that has been put right goes through under the same key."""
    assert_problem(live.post("/predict/async/", {"features": {}}, idempotency_key=key), 422)
    assert live.post("/predict/async/", {"features": live.features}, idempotency_key=key).status == 202


def test_without_a_key_a_repetition_is_another_task(live: Deployment) -> None:
    """It only predicts again."""
    body = {"features": live.features}
    first, second = (live.post("/predict/async/", body).json()["task_id"] for _ in range(2))
    assert first != second
