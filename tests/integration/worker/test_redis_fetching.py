"""Redis as the broker, one process: what a worker takes out of Redis while it predicts, it holds."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
import redis

from tandem.backplane.topology import NORMAL

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from celery import Celery

    from tests.integration.conftest import LiveWorker

pytestmark = pytest.mark.timeout(200)

WAIT_SECONDS = 60


def test_what_comes_while_it_predicts_stays_in_the_queue(
    live_worker: Callable[..., LiveWorker],
    redis_database: Callable[[], str],
    client_of: Callable[[LiveWorker], Celery],
    tmp_path: Path,
) -> None:
    """So a kill -9 in that moment loses none of it: another worker does it."""
    worker = live_worker(
        broker_url=redis_database(), redis_url=redis_database(), SERVED_MODELS="probe", pool="solo"
    )
    worker.start_and_wait()
    client, trace = client_of(worker), tmp_path / "trace"

    def send(action: str, **features: object) -> None:
        kwargs = {"model": "probe", "features": {"action": action, **features}}
        client.send_task("predict", kwargs=kwargs, queue=NORMAL, declare=[])

    with redis.Redis.from_url(worker.broker_url) as broker:
        for _ in range(3):  # whatever its connection was waiting with before
            send("sleep", seconds=2.0, trace=str(trace))
            deadline = time.monotonic() + WAIT_SECONDS
            began = len(trace.read_text().splitlines()) if trace.exists() else 0
            while not trace.exists() or len(trace.read_text().splitlines()) == began:
                assert time.monotonic() < deadline, worker.log_end()
                time.sleep(0.01)
            for _ in range(3):
                send("echo")
            assert broker.llen(NORMAL) == 3
            while broker.llen(NORMAL) or broker.zcard("unacked_index"):
                assert time.monotonic() < deadline, worker.log_end()
                time.sleep(0.01)
    worker.stop()
