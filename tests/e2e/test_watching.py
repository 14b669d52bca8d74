"""What compose's profile `ops` shows of the system: Prometheus scrapes it, Flower sees its workers."""

import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from local.composition import Composition

pytestmark = pytest.mark.e2e
SEEN_SECONDS = 60


def soon(look: Callable[[], Any], wanted: Any) -> None:
    """Look until it is what is wanted, for two scrapes and a bit."""
    deadline = time.monotonic() + SEEN_SECONDS
    while (seen := look()) != wanted and time.monotonic() < deadline:
        time.sleep(1)
    assert seen == wanted


def test_prometheus_reaches_what_it_is_to_scrape(composition: Composition) -> None:
    """The gateway, the broker and its queues; and it has taken the alerts."""
    with httpx.Client(
        base_url=f"http://{composition.address('prometheus', 9090)}/api/v1", timeout=10
    ) as prometheus:

        def health() -> dict[str, str]:
            targets = prometheus.get("/targets").raise_for_status().json()["data"]["activeTargets"]
            return {target["labels"]["job"]: target["health"] for target in targets}

        soon(health, {"gateway": "up", "rabbitmq": "up", "queues": "up"})
        [group] = prometheus.get("/rules").raise_for_status().json()["data"]["groups"]
        assert {"DeadLetters", "NoConsumers"} <= {rule["name"] for rule in group["rules"]}


def test_the_numbers_that_alerts_are_about_are_there(composition: Composition) -> None:
    """A renamed number would silence its alert."""
    queries = (
        'rabbitmq_detailed_queue_messages{queue="ml.dead"}',
        'rabbitmq_detailed_queue_consumers{queue="ml"}',
    )
    with httpx.Client(
        base_url=f"http://{composition.address('prometheus', 9090)}/api/v1", timeout=10
    ) as prometheus:

        def found() -> list[int]:
            answers = [prometheus.get("/query", params={"query": query}).json() for query in queries]
            return [len(answer["data"]["result"]) for answer in answers]

        soon(found, [1, 1])


def test_flower_sees_the_worker(composition: Composition) -> None:
    """By the events that it asks the workers for."""
    url = f"http://{composition.address('flower', 5555)}/workers?json=1"

    def online() -> int:
        workers = httpx.get(url, timeout=10).raise_for_status().json()["data"]
        return sum(worker["status"] for worker in workers)

    soon(online, len(composition.containers("worker")))
