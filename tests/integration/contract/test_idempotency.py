"""Idempotency-Key: one key and one body are one task, however often they are sent."""

from __future__ import annotations

import asyncio
import json
import uuid
from typing import TYPE_CHECKING

import pytest
import redis
import redis.asyncio

from local.ports import free_port
from tandem.backplane.idempotency import IdempotencyStore
from tests.integration.contract.deployment import Deployment, assert_problem

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from tests.integration.contract.calls import Call

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


def test_while_the_first_is_being_accepted_a_repetition_is_409(live: Deployment, key: str) -> None:
    """Neither a second task nor a wrong answer."""
    store = the_store_of(live)
    body = {"features": live.features}
    sent = b"\0" + json.dumps(body).encode()  # after the query, which is empty

    async def claim() -> None:
        async with redis.asyncio.Redis.from_url(store) as client:
            await IdempotencyStore(client).claim(
                owner="", route="/predict/async", key=key, body=sent, task_id="first"
            )

    asyncio.run(claim())
    answer = live.post("/predict/async/", body, idempotency_key=key)
    assert_problem(answer, 409, "request-in-progress")


def test_after_a_doubtful_publish_a_repetition_has_the_same_task(
    live: Deployment, redeployed: Callable[[dict[str, str]], AbstractContextManager[Call]], key: str
) -> None:
    """What did not answer may have the message all the same, so the id stays."""
    first = left_in_doubt(live, redeployed, key)
    answer = live.post("/predict/async/", {"features": live.features}, idempotency_key=key)
    assert (answer.status, answer.json()["task_id"]) == (202, first)


def test_refused_after_a_doubt_it_is_still_the_same_task(
    live: Deployment,
    redeployed: Callable[[dict[str, str]], AbstractContextManager[Call]],
    redis_database: Callable[[], str],
    key: str,
) -> None:
    """The first message may be queued, whatever became of the second: its task is not forgotten."""
    body = {"features": live.features}
    first = left_in_doubt(live, redeployed, key)
    full = {**live.variables, "BROKER_URL": redis_database(), "QUEUE_MAX_LENGTH": "1"}
    with redeployed(full) as call:
        deployment = Deployment(call)
        assert deployment.post("/predict/async/", body).status == 202
        answer = deployment.post("/predict/async/", body, idempotency_key=key)
        assert_problem(answer, 503, "queue-full")
    assert live.call("GET", f"/monitoring/task_status/{first}").json()["status"] == "PENDING"
    answer = live.post("/predict/async/", body, idempotency_key=key)
    assert (answer.status, answer.json()["task_id"]) == (202, first)


def left_in_doubt(
    live: Deployment, redeployed: Callable[[dict[str, str]], AbstractContextManager[Call]], key: str
) -> str:
    """Use the key where the broker does not answer, and give the id that its row holds then."""
    away = {**live.variables, "BROKER_URL": f"redis://127.0.0.1:{free_port()}/0"}
    with redis.Redis.from_url(the_store_of(live)) as client:
        before = set(client.scan_iter("tandem:idempotency:*"))
        with redeployed(away) as call:
            answer = Deployment(call).post(
                "/predict/async/", {"features": live.features}, idempotency_key=key
            )
            assert_problem(answer, 503, "broker-unavailable")
        [row] = set(client.scan_iter("tandem:idempotency:*")) - before
        return (client.hget(row, "task") or b"").decode()


def the_store_of(live: Deployment) -> str:
    """Where its rows are; skips where that is not the test's."""
    if not live.redis_url:
        pytest.skip("the store of a deployment that runs elsewhere is not the test's")
    return live.redis_url
