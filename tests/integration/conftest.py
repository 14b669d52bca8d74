"""What the integration tests share: a registry with small models, and live workers that serve them."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

import pytest
import redis

from local.child import Child
from local.private_redis import DATABASES
from tandem.backplane.model_cards import WORKERS
from tandem.schemas.model_card import WorkerHeartbeat

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from local.private_rabbitmq import PrivateRabbitmq
    from local.private_redis import PrivateRedis

REPOSITORY = Path(__file__).parents[2]
REGISTER_SECONDS = 150
READY_SECONDS = 120
STOP_SECONDS = 30
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def mlflow_registry(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The tracking URI of a registry with `match-outcome` and `probe` at `champion`."""
    directory = tmp_path_factory.mktemp("registry")
    uri = f"sqlite:///{directory}/mlflow.db"
    program = Path(__file__).parent / "small_models" / "register.py"
    with (directory / "register.log").open("wb") as log:
        subprocess.run(
            [sys.executable, str(program), uri, str(directory / "artifacts")],
            check=True,
            timeout=REGISTER_SECONDS,
            env={**os.environ, "GIT_PYTHON_REFRESH": "quiet"},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    return uri


class LiveWorker(Child):
    """A worker process of its own, on a broker and a store that the test chose."""

    def __init__(
        self,
        directory: Path,
        *,
        pool: str,
        concurrency: int,
        broker_url: str,
        redis_url: str,
        **settings: str,
    ) -> None:
        self.node = f"test{next(_numbers)}@{os.getpid()}"
        self.broker_url, self.redis_url = broker_url, redis_url
        variables = {**os.environ, "BROKER_URL": broker_url, "REDIS_URL": redis_url, **settings}
        arguments = ["-m", "celery", "-A", "worker.app", "worker", "--pool", pool, "-n", self.node]
        quiet = ["-c", str(concurrency), "--without-mingle", "--without-gossip"]
        super().__init__(
            "worker",
            [sys.executable, *arguments, *quiet],
            log=directory / f"{self.node}.log",
            variables={**variables, "OMP_NUM_THREADS": "1"},
            directory=REPOSITORY,
            stop_seconds=STOP_SECONDS,
        )

    def start_and_wait(self) -> None:
        """Start it and wait until it says, in the store, that it serves."""
        self.start()
        self.wait_until(lambda: self.heartbeat() is not None, timeout_seconds=READY_SECONDS)

    def join(self, timeout_seconds: float) -> None:
        """Wait until it ends by itself; fails the test when it does not."""
        deadline = time.monotonic() + timeout_seconds
        while self.is_alive:
            assert time.monotonic() < deadline, self.log_end()
            time.sleep(0.05)

    def heartbeat(self) -> WorkerHeartbeat | None:
        """What it last said of itself; None before and after its life."""
        with redis.Redis.from_url(self.redis_url) as client:
            text = client.hget(WORKERS, self.node)
        return None if text is None else WorkerHeartbeat.model_validate_json(text)


@pytest.fixture(scope="session")
def live_worker(
    mlflow_registry: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., LiveWorker]]:
    """Make workers: `live_worker(broker_url=…, redis_url=…, pool="solo", **settings)`.

    All end with the session. Settings are environment variables; `start_and_wait` starts the worker.
    """
    made: list[LiveWorker] = []
    directory = tmp_path_factory.mktemp("workers")

    def make(
        *, broker_url: str, redis_url: str, pool: str = "solo", concurrency: int = 1, **settings: str
    ) -> LiveWorker:
        settings = {"MLFLOW_TRACKING_URI": mlflow_registry, **settings}
        worker = LiveWorker(
            directory,
            pool=pool,
            concurrency=concurrency,
            broker_url=broker_url,
            redis_url=redis_url,
            **settings,
        )
        made.append(worker)
        return worker

    yield make
    for worker in made:
        worker.stop()


@pytest.fixture(scope="session")
def redis_database(redis_server: PrivateRedis) -> Callable[[], str]:
    """Give the URL of an empty database of the session's Redis, another at each call."""
    numbers = itertools.cycle(range(1, DATABASES))

    def give() -> str:
        url = urlunsplit(urlsplit(redis_server.url)._replace(path=f"/{next(numbers)}"))
        with redis.Redis.from_url(url) as client:
            client.flushdb()
        return url

    return give


@pytest.fixture(scope="session")
def rabbitmq_vhost(rabbitmq_server: PrivateRabbitmq) -> Callable[[], str]:
    """Give the URL of an empty virtual host of the session's RabbitMQ, a new one at each call."""

    def give() -> str:
        name = f"test{next(_numbers)}"
        rabbitmq_server.ctl("add_vhost", name)
        rabbitmq_server.ctl("set_permissions", "-p", name, "guest", ".*", ".*", ".*")
        return rabbitmq_server.url.removesuffix("//") + f"/{name}"

    return give
