"""The servers that tests run against: private ones, started when the first test asks, stopped at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from local.private_rabbitmq import PrivateRabbitmq
from local.private_redis import PrivateRedis

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateRedis]:
    """A running Redis for the whole session; `url` reaches it. A test that harms it brings it back."""
    with PrivateRedis(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="session")
def rabbitmq_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateRabbitmq]:
    """A running RabbitMQ for the whole session; `url` reaches it. A test that harms it brings it back."""
    with PrivateRabbitmq(tmp_path_factory.mktemp("rabbitmq")) as server:
        yield server
