"""The health check of a worker's container, on a real store."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tandem.backplane.model_cards import ALIVE_SECONDS, publish_heartbeat
from tandem.backplane.store import synchronous_client
from tandem.schemas.model_card import WorkerHeartbeat

if TYPE_CHECKING:
    from collections.abc import Callable

REPOSITORY = Path(__file__).parents[3]


def check(redis_url: str) -> subprocess.CompletedProcess[str]:
    """The check as a container runs it."""
    return subprocess.run(
        [sys.executable, "-m", "worker.health"],
        cwd=REPOSITORY,
        env={**os.environ, "REDIS_URL": redis_url},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def beat(redis_url: str, *, age_seconds: float) -> None:
    """A heartbeat of this host's worker, `age_seconds` ago."""
    with synchronous_client(redis_url) as client:
        seconds, _ = client.time()
        heartbeat = WorkerHeartbeat(
            node=f"celery@{socket.gethostname()}",
            seen_ms=int((seconds - age_seconds) * 1000),
            pool="prefork",
            concurrency=1,
            models={"match-outcome@champion": "1"},
        )
        publish_heartbeat(client, heartbeat)


@pytest.mark.parametrize(("age_seconds", "status"), [(0, 0), (ALIVE_SECONDS + 60, 1)])
def test_a_worker_is_healthy_while_its_heartbeat_is_fresh(
    redis_database: Callable[[], str], age_seconds: float, status: int
) -> None:
    """The functions no longer count on one that is silent, so its container is not healthy either."""
    url = redis_database()
    beat(url, age_seconds=age_seconds)
    assert check(url).returncode == status


def test_a_worker_that_has_not_loaded_anything_is_not_healthy(redis_database: Callable[[], str]) -> None:
    """One line says why."""
    done = check(redis_database())
    assert done.returncode == 1
    assert "no model is loaded" in done.stderr


def test_without_a_store_nothing_is_healthy() -> None:
    """It ends within the store's own limits, with a line and no traceback."""
    done = check("redis://127.0.0.1:1/0")
    assert done.returncode == 1
    assert "did not answer" in done.stderr
    assert "Traceback" not in done.stderr
