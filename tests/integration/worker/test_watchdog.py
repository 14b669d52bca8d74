"""A model that never answers, in a pool that cannot stop it: worker and task end, other tasks do not."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
import redis

from tandem.backplane.task_scripts import record_key
from tandem.backplane.topology import NORMAL
from worker.watchdog import EXIT_STATUS

if TYPE_CHECKING:
    from collections.abc import Callable

    from celery import Celery

    from tests.integration.conftest import LiveWorker

pytestmark = pytest.mark.timeout(300)

LIMIT_SECONDS = 3
END_SECONDS = 60
HANGS = {"action": "sleep", "seconds": 600.0}
ECHO = {"action": "echo"}


@pytest.mark.parametrize("pool", ["solo", "threads"])
def test_a_task_that_hangs_ends_its_worker_and_itself_alone(
    pool: str,
    live_worker: Callable[..., LiveWorker],
    redis_database: Callable[[], str],
    rabbitmq_vhost: Callable[[], str],
    client_of: Callable[[LiveWorker], Celery],
) -> None:
    """Started again, as a restart policy would, the worker does what waited beside the hanging task."""
    worker = live_worker(
        broker_url=rabbitmq_vhost(),
        redis_url=redis_database(),
        pool=pool,
        TASK_TIME_LIMIT_SECONDS=str(LIMIT_SECONDS),
        SERVED_MODELS="probe",
    )
    worker.start_and_wait()
    client = client_of(worker)

    def send(features: dict[str, Any]) -> str:
        kwargs = {"model": "probe", "features": features}
        return str(client.send_task("predict", kwargs=kwargs, queue=NORMAL, declare=[]).id)

    def state(task_id: str) -> dict[bytes, bytes]:
        with redis.Redis.from_url(worker.redis_url) as store:
            fields: Any = store.hgetall(record_key(task_id))
            return dict(fields)

    before = send(ECHO)
    hanging, beside = send(HANGS), [send(ECHO) for _ in range(3)]
    ends = 0
    deadline = time.monotonic() + END_SECONDS
    while not all(state(one).get(b"f") for one in (before, hanging, *beside)):
        assert time.monotonic() < deadline, worker.log_end()
        if not worker.is_alive:
            assert worker.exit_status == EXIT_STATUS
            ends += 1
            worker.start_and_wait()
            deadline = time.monotonic() + END_SECONDS
        time.sleep(0.05)
    assert json.loads(state(hanging)[b"e"])["type"] == "/problems/task-timed-out"
    assert {state(one)[b"s"] for one in (before, *beside)} == {b"SUCCESS"}
    assert ends <= 2
    worker.stop()
