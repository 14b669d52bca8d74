"""Micro-batches, with a real worker on both brokers: they form, and nobody can tell from the answers."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
import redis

from tandem.backplane.task_scripts import meta_key
from tandem.backplane.topology import NORMAL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from celery import Celery

    from tests.integration.conftest import LiveWorker

pytestmark = pytest.mark.timeout(400)

BURST = 500
KINDS = 25
"""Different requests, so that one-by-one needs no 500 round trips."""
ANSWER_SECONDS = 90


@pytest.fixture(scope="module", params=["redis", "rabbitmq"])
def worker(
    request: pytest.FixtureRequest,
    live_worker: Callable[..., LiveWorker],
    redis_database: Callable[[], str],
) -> Iterator[LiveWorker]:
    """A ready solo worker, which batches."""
    broker_url = redis_database() if request.param == "redis" else request.getfixturevalue("rabbitmq_vhost")()
    made = live_worker(broker_url=broker_url, redis_url=redis_database(), pool="solo")
    made.start_and_wait()
    yield made
    made.stop()


def asked(number: int, calls: Path) -> tuple[str, dict[str, Any]]:
    """A task and its arguments: good ones of two models, and all ways to fail, among each other."""
    number %= KINDS
    if number % 5 == 1:
        features: dict[str, Any] = {"home_elo": 1400.0 + 10 * number, "away_elo": 1500.0, "rest_days": 4.0}
        return "predict_match", {"features": features}
    if number % 5 == 2 and number > KINDS // 2:
        return "predict_match", {"features": {"home_elo": "high"}}
    if number == 13:
        return "predict", {"model": "no-such-model", "features": {"x": 1}}
    action = "raise" if number == 19 else "echo"
    row = {"action": action, "count": number, "calls": str(calls)}
    return "predict", {"model": "probe", "features": row}


def end_of(store: redis.Redis, task_id: str) -> dict[str, Any]:
    """How a task ended, without what differs from task to task."""
    deadline = time.monotonic() + ANSWER_SECONDS
    while (found := store.get(meta_key(task_id))) is None:
        assert time.monotonic() < deadline, f"no end of {task_id}"
        time.sleep(0.02)
    meta = json.loads(found)
    result = meta["result"]
    return {"status": meta["status"], "result": result, "problem": meta.get("problem")}


def test_a_burst_is_answered_as_one_by_one_would_be(
    worker: LiveWorker, client_of: Callable[[LiveWorker], Celery], tmp_path: Path
) -> None:
    """500 good and bad tasks of two models at once; far fewer calls than tasks, and each its own answer."""
    client = client_of(worker)

    def send(number: int, calls: Path) -> str:
        task, kwargs = asked(number, calls)
        return str(client.send_task(task, kwargs=kwargs, queue=NORMAL, declare=[]).id)

    with redis.Redis.from_url(worker.redis_url) as store:
        alone = [end_of(store, send(number, tmp_path / "alone")) for number in range(KINDS)]
        task_ids = [send(number, tmp_path / "together") for number in range(BURST)]
        together = [end_of(store, task_id) for task_id in task_ids]
    statuses = {end["status"] for end in alone}
    assert statuses == {"SUCCESS", "FAILURE"}
    for number, end in enumerate(together):
        assert end == approximately(alone[number % KINDS]), number
    sizes = [int(line) for line in (tmp_path / "together").read_text().splitlines()]
    assert max(sizes) > 10
    assert {int(line) for line in (tmp_path / "alone").read_text().splitlines()} == {1}


def approximately(value: Any) -> Any:
    """The same, but for the last digits of numbers, which depend on how many rows a model sees at once."""
    if isinstance(value, dict):
        return {name: approximately(part) for name, part in value.items()}
    return pytest.approx(value) if isinstance(value, float) else value
