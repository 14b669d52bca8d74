"""Brokers and a store that these tests may harm: servers of their own, and a proxy before each broker."""

from __future__ import annotations

import asyncio
import itertools
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from kombu import Connection, Queue

from local.private_rabbitmq import PrivateRabbitmq
from local.private_redis import PrivateRedis
from tandem.backplane.publisher import Publisher
from tandem.backplane.replies import Replies
from tandem.backplane.settings import Settings
from tandem.backplane.store import synchronous_client
from tests.faults.tcp_proxy import TcpProxy
from tests.integration.backplane.waiting import waiting

if TYPE_CHECKING:
    from collections.abc import Iterator

    import redis

OLD_QUEUE = "test.old"
SETTLED_SECONDS = 20
_numbers = itertools.count(1)
_started_at: dict[int, float] = {}


@dataclass
class BrokerUnderTest:
    """A broker, and the way to it that the publisher takes."""

    server: PrivateRabbitmq | PrivateRedis
    proxy: TcpProxy
    started_at: float = 0.0

    @property
    def is_redis(self) -> bool:
        """Whether Redis is the broker."""
        return isinstance(self.server, PrivateRedis)

    @property
    def settings(self) -> Settings:
        """Settings of a publisher that reaches it through the proxy."""
        return Settings(broker_url=self.proxy.of(self.server.url), queue_max_length=100_000)

    def declare(self, *, kind: str = "quorum", max_length: int | None = None) -> str:
        """Declare a queue of a new name and give the name."""
        name = f"test.{next(_numbers)}"
        arguments: dict[str, Any] = {"x-queue-type": kind}
        if max_length is not None:
            arguments |= {"x-max-length": max_length, "x-overflow": "reject-publish"}
        if not self.is_redis:
            with Connection(self.server.url) as connection:
                Queue(name, queue_arguments=arguments)(connection.default_channel).queue_declare()
        return name

    def declared_long_ago(self) -> str:
        """Give the name of a queue that outlives a killed broker.

        A quorum queue of RabbitMQ 3.10 that is only seconds old may come back without a leader.
        """
        time.sleep(max(0.0, SETTLED_SECONDS - (time.monotonic() - self.started_at)))
        return OLD_QUEUE

    def take(self, queue: str) -> list[Any]:
        """Take every message out of a queue."""
        with Connection(self.server.url) as connection:
            taking = Queue(queue)(connection.default_channel)
            return list(iter(lambda: taking.get(no_ack=True), None))

    def take_ids(self, queue: str) -> list[str]:
        """Take every message out of a queue and give their task ids."""
        return [message.properties["correlation_id"] for message in self.take(queue)]


@pytest.fixture(scope="session")
def own_rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateRabbitmq]:
    """A RabbitMQ that no other test uses."""
    with PrivateRabbitmq(tmp_path_factory.mktemp("own-rabbitmq")) as server:
        with Connection(server.url) as connection:
            old = Queue(OLD_QUEUE, queue_arguments={"x-queue-type": "quorum"})
            old(connection.default_channel).queue_declare()
        _started_at[server.port] = time.monotonic()
        yield server


@pytest.fixture(scope="session")
def own_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateRedis]:
    """A Redis that no other test uses."""
    with PrivateRedis(tmp_path_factory.mktemp("own-redis")) as server:
        yield server


@pytest.fixture
def rabbitmq(own_rabbitmq: PrivateRabbitmq) -> Iterator[BrokerUnderTest]:
    """RabbitMQ as the broker."""
    with TcpProxy(own_rabbitmq.port) as proxy:
        yield BrokerUnderTest(own_rabbitmq, proxy, _started_at[own_rabbitmq.port])


@pytest.fixture(params=["rabbitmq", "redis"])
def broker(request: pytest.FixtureRequest) -> Iterator[BrokerUnderTest]:
    """Either broker."""
    server = request.getfixturevalue(f"own_{request.param}")
    with TcpProxy(server.port) as proxy:
        yield BrokerUnderTest(server, proxy, _started_at.get(server.port, 0.0))


@pytest.fixture
def publisher(broker: BrokerUnderTest) -> Iterator[Publisher]:
    """A publisher to either broker."""
    made = Publisher(broker.settings)
    yield made
    made.close()


@pytest.fixture
def rabbitmq_publisher(rabbitmq: BrokerUnderTest) -> Iterator[Publisher]:
    """A publisher to RabbitMQ."""
    made = Publisher(rabbitmq.settings)
    yield made
    made.close()


@pytest.fixture
def proxy(own_redis: PrivateRedis) -> Iterator[TcpProxy]:
    """What lies between the waiting process and the store."""
    with TcpProxy(own_redis.port) as made:
        yield made


@pytest.fixture
def client(own_redis: PrivateRedis) -> Iterator[redis.Redis]:
    """A client of the store itself, empty at first."""
    with synchronous_client(own_redis.url) as made:
        made.flushdb()
        yield made


@pytest.fixture
def process(proxy: TcpProxy, client: redis.Redis, own_redis: PrivateRedis) -> Any:
    """Make such a process."""
    return lambda: waiting(proxy, client, own_redis)


@pytest.fixture
def no_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is looked up: what comes has been announced."""

    async def never(_self: Replies) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(Replies, "_sweep", never)
