"""Work that was canceled while nobody was there to run it: whoever comes later leaves it alone."""

from __future__ import annotations

import asyncio
import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest
import redis
from kombu import Connection

from tandem.backplane.edge import wire
from tandem.backplane.message import Message, delivery_header, task_body, task_headers
from tandem.backplane.model_cards import publish_cards
from tandem.backplane.submission import accept
from tandem.backplane.topology import NORMAL, declare
from tests.integration.worker.jobs import PROBE, Jobs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tandem.backplane.settings import Settings
    from tests.integration.conftest import LiveWorker

pytestmark = pytest.mark.timeout(400)

CARD = PROBE.model_copy(
    update={
        "inputs": [
            {"type": "string", "name": "action", "required": True},
            {"type": "string", "name": "trace", "required": False},
        ]
    }
)


def accepted(settings: Settings, features: dict[str, Any]) -> str:
    """Accept one prediction as a function does and give its id."""

    async def submit() -> str:
        task_id = str(uuid.uuid4())
        body = task_body({"model": "probe", "alias": "champion"}, json.dumps(features).encode())
        headers = task_headers("predict", task_id, delivery_header(submitted_ms=1))
        edge = wire(settings)
        try:
            await accept(edge, Message(task_id, NORMAL, body, headers, durable=True), 600, "")
        finally:
            await edge.close()
        return task_id

    return asyncio.run(submit())


@pytest.mark.parametrize("broker", ["redis", "rabbitmq"])
def test_what_was_canceled_before_a_worker_came_never_ran(
    broker: str,
    request: pytest.FixtureRequest,
    live_worker: Callable[..., LiveWorker],
    redis_database: Callable[[], str],
    tmp_path: Path,
) -> None:
    """A prediction and a batch alike; what was accepted beside them is run."""
    broker_url = redis_database() if broker == "redis" else request.getfixturevalue("rabbitmq_vhost")()
    jobs = Jobs(broker_url, redis_database())
    with redis.Redis.from_url(jobs.settings.redis_url) as store:
        publish_cards(store, [CARD])
    if broker == "rabbitmq":
        with Connection(broker_url) as connection:
            declare(connection, jobs.settings.queue_max_length)
    left, wanted = tmp_path / "left", tmp_path / "wanted"
    alone = {"action": "echo", "trace": str(left)}
    canceled = [accepted(jobs.settings, alone), jobs.submit([alone] * 150)]
    others = [jobs.submit([{"action": "echo"}]), accepted(jobs.settings, {**alone, "trace": str(wanted)})]
    for task_id in canceled:
        jobs.cancel(task_id)
    worker = live_worker(broker_url=broker_url, redis_url=jobs.settings.redis_url, SERVED_MODELS="probe")
    worker.start_and_wait()
    for task_id in others:  # each lies behind a canceled one
        assert jobs.ended(task_id).state == "SUCCESS"
    assert wanted.exists()
    for task_id in canceled:
        task = jobs.read(task_id)
        assert (task.state, task.attempts, task.result) == ("REVOKED", 0, None)
    assert not left.exists()
    worker.stop()
    jobs.store.close()
