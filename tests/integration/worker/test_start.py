"""How a worker begins and ends: one clear line where it cannot serve, and honest about what it serves."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from kombu import Connection

from tandem.backplane.topology import DEAD, queue

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.conftest import LiveWorker

pytestmark = pytest.mark.timeout(400)

REPOSITORY = Path(__file__).parents[3]
START_SECONDS = 120


def started_with(**settings: str) -> subprocess.CompletedProcess[str]:
    """A worker with exactly these settings, which ends by itself."""
    names = ("BROKER_URL", "REDIS_URL", "MLFLOW_TRACKING_URI", "SERVED_MODELS", "TASK_TIME_LIMIT_SECONDS")
    variables = {name: value for name, value in os.environ.items() if name not in names}
    return subprocess.run(
        [sys.executable, "-m", "celery", "-A", "worker.app", "worker", "--pool", "solo"],
        cwd=REPOSITORY,
        env={**variables, **settings},
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=False,
    )


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({}, "worker: missing setting: MLFLOW_TRACKING_URI"),
        ({"BROKER_URL": "kafka://somewhere"}, "worker: wrong setting: BROKER_URL: "),
        ({"TASK_TIME_LIMIT_SECONDS": "soon"}, "worker: wrong setting: TASK_TIME_LIMIT_SECONDS: "),
    ],
)
def test_a_missing_or_wrong_setting_is_one_line(settings: dict[str, str], line: str) -> None:
    """Status 1, the setting's name, no traceback."""
    ended = started_with(**settings)
    assert ended.returncode == 1
    assert line in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("pool", ["solo", "prefork"])
@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"SERVED_MODELS": "damaged@broken"}, "No model is loaded: damaged@broken"),
        ({"SERVED_MODELS": "probe,,"}, "SERVED_MODELS"),
        ({"MLFLOW_TRACKING_URI": "nowhere://registry"}, "cannot be loaded"),
    ],
)
def test_a_worker_that_can_load_nothing_ends(
    pool: str,
    settings: dict[str, str],
    line: str,
    live_worker: Callable[..., LiveWorker],
    redis_database: Callable[[], str],
) -> None:
    """Status 1 and a line that says why, in the pools too whose processes are replaced when they end."""
    worker = live_worker(broker_url=redis_database(), redis_url=redis_database(), pool=pool, **settings)
    worker.start()
    worker.join(START_SECONDS)
    assert worker.exit_status == 1
    assert line in worker.log.read_text()
    assert worker.heartbeat() is None


def test_a_queue_with_other_arguments_ends_the_worker(
    live_worker: Callable[..., LiveWorker],
    rabbitmq_vhost: Callable[[], str],
    redis_database: Callable[[], str],
) -> None:
    """One that it only relies on, too; the last line has the broker's own words for what differs."""
    url = rabbitmq_vhost()
    with Connection(url) as connection:
        queue(DEAD, 5)(connection.default_channel).declare()
    worker = live_worker(broker_url=url, redis_url=redis_database(), SERVED_MODELS="probe")
    worker.start()
    worker.join(START_SECONDS)
    assert worker.exit_status == 1
    last = worker.log.read_text().splitlines()[-1]
    assert f"PRECONDITION_FAILED - inequivalent arg 'x-max-length' for queue '{DEAD}'" in last
    assert worker.heartbeat() is None


def test_one_bad_model_does_not_keep_the_others_from_serving(
    live_worker: Callable[..., LiveWorker], redis_database: Callable[[], str]
) -> None:
    """It is named in the log and claimed nowhere; and a worker that stops takes its claim back."""
    worker = live_worker(
        broker_url=redis_database(), redis_url=redis_database(), SERVED_MODELS="damaged@broken,probe"
    )
    worker.start_and_wait()
    heartbeat = worker.heartbeat()
    assert heartbeat is not None
    assert heartbeat.models == {"probe@champion": "1"}
    assert "Model damaged at broken could not be loaded" in worker.log.read_text()
    worker.stop()
    assert worker.heartbeat() is None
    assert worker.exit_status == 0
