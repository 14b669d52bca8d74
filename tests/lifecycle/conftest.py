"""Both sides of the lifecycle on an empty database of the private Redis."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tandem.backplane.settings import Settings
from tandem.backplane.store import asynchronous_client, synchronous_client
from tandem.backplane.task_attempts import TaskAttempts
from tandem.backplane.task_store import TaskStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    import redis

    from local.private_redis import PrivateRedis


@pytest.fixture
def given(redis_server: PrivateRedis) -> Settings:
    """Settings whose store is a database of its own on the private server."""
    return Settings(redis_url=redis_server.url.removesuffix("/0") + "/4")


@pytest.fixture
def client(given: Settings) -> Iterator[redis.Redis]:
    """A client of the store, which is empty at first."""
    with synchronous_client(given.redis_url) as made:
        made.flushdb()
        yield made


@pytest.fixture
def worker(client: redis.Redis, given: Settings) -> TaskAttempts:
    """The worker's side."""
    return TaskAttempts(client, given)


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    """The event loop of the edge's side."""
    with asyncio.Runner() as made:
        yield made


@pytest.fixture
def store(given: Settings, runner: asyncio.Runner) -> Iterator[TaskStore]:
    """The edge's side."""
    connected = asynchronous_client(given.redis_url)
    yield TaskStore(connected, given)
    runner.run(connected.aclose())
