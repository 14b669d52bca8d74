"""What is away is said: 503 with an honest Retry-After, and never a 202 for what was not accepted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import redis

from local.ports import free_port
from tests.integration.contract.deployment import Deployment, assert_problem

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from tests.integration.contract.calls import Call

    Redeployed = Callable[[dict[str, str]], AbstractContextManager[Call]]


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_without_a_broker_nothing_is_accepted(
    silent: Deployment, redeployed: Redeployed, scheme: str
) -> None:
    """What needs no broker goes on."""
    away = {**silent.variables, "BROKER_URL": f"{scheme}://guest:guest@127.0.0.1:{free_port()}/"}
    features = silent.features
    with redeployed(away) as call:
        deployment = Deployment(call)
        for path in ("/predict/", "/predict/async/"):
            assert_problem(deployment.post(path, {"features": features}), 503, "broker-unavailable")
        assert_problem(call("GET", "/predict/42"), 503, "broker-unavailable")
        prefer = deployment.post("/predict/", {"features": features}, prefer="respond-async")
        assert_problem(prefer, 503, "broker-unavailable")
        problem = assert_problem(call("GET", "/health/ready"), 503)
        assert problem["checks"] == {"broker": "broker-unavailable", "store": "ok", "workers": "ok"}
        assert call("GET", "/health/live").status == 200
        assert len(call("GET", "/predict/matches/").json()) == 4
        assert call("GET", "/predict/model/info").status == 200


def test_without_a_store_nothing_is_accepted(silent: Deployment, redeployed: Redeployed) -> None:
    """And nothing is said of any task, match or model."""
    away = {**silent.variables, "REDIS_URL": f"redis://127.0.0.1:{free_port()}/0"}
    features = silent.features
    with redeployed(away) as call:
        deployment = Deployment(call)
        for path in ("/predict/", "/predict/async/"):
            assert_problem(deployment.post(path, {"features": features}), 503, "store-unavailable")
        for path in ("/predict/42", "/predict/matches/", "/predict/model/info", "/monitoring/task_status/x"):
            assert_problem(call("GET", path), 503, "store-unavailable")
        assert_problem(call("DELETE", "/monitoring/task_status/x"), 503, "store-unavailable")
        problem = assert_problem(call("GET", "/health/ready"), 503)
        assert problem["checks"]["store"] == "store-unavailable"
        assert call("GET", "/health/live").status == 200
        # What is wrong with a body is known without any store.
        assert_problem(deployment.call("POST", "/predict/", body=b"{"), 400, "invalid-json")
    assert silent.waiting() == 0


def test_without_workers_nobody_is_kept_waiting(
    silent: Deployment, redeployed: Redeployed, redis_database: Callable[[], str]
) -> None:
    """A waiting caller is told; with no model known yet, nothing can be checked or accepted."""
    empty = {**silent.variables, "REDIS_URL": redis_database()}
    with redeployed(empty) as call:
        deployment = Deployment(call)
        for path in ("/predict/", "/predict/async/"):
            assert_problem(deployment.post(path, {"features": {}}), 503, "workers-unavailable")
        assert_problem(call("GET", "/predict/42"), 503, "workers-unavailable")
        assert_problem(call("GET", "/predict/model/info"), 503, "workers-unavailable")
        assert_problem(call("GET", "/predict/model/info?model=nobody"), 404, "model-not-found")
        problem = assert_problem(call("GET", "/healthcheck/"), 503)
        assert problem["checks"] == {"broker": "ok", "store": "ok", "workers": "workers-unavailable"}


def test_when_every_worker_has_gone_tasks_are_still_accepted(
    silent: Deployment, redeployed: Redeployed, redis_database: Callable[[], str]
) -> None:
    """The model is known, so a row can be checked and wait; a caller that waits itself is told at once."""
    store = redis_database()
    with redis.Redis.from_url(silent.redis_url) as known, redis.Redis.from_url(store) as other:
        other.hset("tandem:cards", mapping=known.hgetall("tandem:cards"))
    with redeployed({**silent.variables, "REDIS_URL": store, "BROKER_URL": redis_database()}) as call:
        deployment = Deployment(call)
        body = {"features": silent.features}
        assert_problem(deployment.post("/predict/", body), 503, "workers-unavailable")
        assert deployment.post("/predict/async/", body).status == 202
        assert deployment.post("/predict/", body, prefer="respond-async").status == 202
        assert call("GET", "/predict/model/info").json()["loaded"] is False


def test_a_full_queue_refuses_and_forgets(
    silent: Deployment, redeployed: Redeployed, redis_database: Callable[[], str]
) -> None:
    """What was refused for certain is no task, and the same key may be tried again."""
    full = {**silent.variables, "BROKER_URL": redis_database(), "QUEUE_MAX_LENGTH": "1"}
    body = {"features": silent.features}
    with redeployed(full) as call:
        deployment = Deployment(call)
        assert deployment.post("/predict/async/", body).status == 202
        for _ in range(2):
            answer = deployment.post("/predict/async/", body, idempotency_key="again")
            assert_problem(answer, 503, "queue-full")
