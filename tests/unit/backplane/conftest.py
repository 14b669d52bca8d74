"""An empty Redis for whoever asks."""

from collections.abc import Iterator

import pytest
import redis

from local.private_redis import PrivateRedis
from tandem.backplane.settings import Settings
from tandem.backplane.store import synchronous_client


@pytest.fixture
def given(redis_server: PrivateRedis) -> Settings:
    """Settings whose store is a database of its own on the private server."""
    return Settings(redis_url=redis_server.url.removesuffix("/0") + "/3")


@pytest.fixture
def client(given: Settings) -> Iterator[redis.Redis]:
    """A client of the store, which is empty at first."""
    with synchronous_client(given.redis_url) as made:
        made.flushdb()
        yield made
