"""What an operator reads: queues and workers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tandem.backplane.queue_depths import WORK_QUEUES
from tandem.backplane.topology import DEAD, LOW, REDIS_RETRIES
from tests.integration.contract.deployment import assert_problem, only_where_the_broker_is_ours

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from tests.integration.contract.calls import Call
    from tests.integration.contract.deployment import Deployment

pytestmark = pytest.mark.timeout(120)


@pytest.mark.parametrize("path", ["/monitoring/celery/queues", "/monitoring/celery/queues/"])
def test_every_queue_is_listed(live: Deployment, path: str) -> None:
    """In the order of serving, with numbers wherever the broker has them."""
    answer = live.call("GET", path)
    assert answer.status == 200
    body = answer.json()
    assert body["broker"] in {"redis", "rabbitmq"}
    assert [queue["name"] for queue in body["queues"]] == list(WORK_QUEUES)
    assert all(queue["depth"] >= 0 for queue in body["queues"])
    assert body["dead_letters"] >= 0
    assert body["waiting_to_retry"] >= 0


def test_what_waits_is_counted(silent: Deployment) -> None:
    """Work in its lane, dead letters and what waits to be tried again beside them."""
    only_where_the_broker_is_ours(silent)
    assert silent.broker is not None
    before = silent.call("GET", "/monitoring/celery/queues").json()
    for _ in range(2):
        body = {"features": silent.features, "priority": "low"}
        assert silent.post("/predict/async/", body).status == 202
    silent.broker.lpush(DEAD, "x")
    silent.broker.zadd(REDIS_RETRIES, {"y": 1})
    after = silent.call("GET", "/monitoring/celery/queues").json()
    depths = [{queue["name"]: queue["depth"] for queue in body["queues"]} for body in (before, after)]
    assert depths[1][LOW] == depths[0][LOW] + 2
    assert after["dead_letters"] == before["dead_letters"] + 1
    assert after["waiting_to_retry"] == before["waiting_to_retry"] + 1


@pytest.mark.parametrize("path", ["/monitoring/celery/workers", "/monitoring/celery/workers/"])
def test_live_workers_are_listed_with_their_models(live: Deployment, path: str) -> None:
    """Name, pool and, of each model in memory, the version."""
    answer = live.call("GET", path)
    assert answer.status == 200
    [worker, *_] = answer.json()["workers"]
    assert worker["node"]
    assert worker["pool"]
    assert worker["concurrency"] >= 1
    assert worker["seen_at"].endswith("Z")
    assert "match-outcome" in {model["model_name"] for model in worker["models"]}
    assert all(model["alias"] and model["model_version"] for model in worker["models"])


def test_without_a_broker_the_answer_says_so(
    silent: Deployment, redeployed: Callable[[dict[str, str]], AbstractContextManager[Call]]
) -> None:
    """503 with the broker's problem; the workers, which the store knows, can still be read."""
    with redeployed({**silent.variables, "BROKER_URL": "amqp://guest:guest@127.0.0.1:1//"}) as call:
        assert_problem(call("GET", "/monitoring/celery/queues"), 503, "broker-unavailable")
        assert call("GET", "/monitoring/celery/workers").status == 200


def test_without_a_worker_the_list_is_empty(
    silent: Deployment,
    redeployed: Callable[[dict[str, str]], AbstractContextManager[Call]],
    redis_database: Callable[[], str],
) -> None:
    """And not an error: it is what was asked."""
    with redeployed({**silent.variables, "REDIS_URL": redis_database()}) as call:
        assert call("GET", "/monitoring/celery/workers").json() == {"workers": []}
