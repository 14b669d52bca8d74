"""A process that waits for tasks, and the worker it waits for."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tandem.backplane.replies import Replies
from tandem.backplane.settings import Settings
from tandem.backplane.store import asynchronous_client, listening_client
from tandem.backplane.task_attempts import Attempt, Delivery, TaskAttempts
from tandem.backplane.task_store import TaskStore
from tests.integration.backplane.publishing import BOUND_SECONDS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import redis

    from local.private_redis import PrivateRedis
    from tandem.backplane.errors import ModelError
    from tests.faults.tcp_proxy import TcpProxy

ANSWER = b'{"match_id": 42}'


@dataclass
class Waiting:
    """A process that waits, and the worker it waits for."""

    replies: Replies
    tasks: TaskStore
    worker: TaskAttempts

    def run(self, task_id: str, *, reply_to: str | None = None, error: ModelError | None = None) -> None:
        """Run a task from its start to its end, as a worker does."""
        channel = self.replies.channel if reply_to is None else reply_to
        [attempt] = self.worker.start([Delivery(task_id, accepted=not channel, reply_to=channel)])
        assert isinstance(attempt, Attempt)
        assert self.worker.finish([(attempt, error or ANSWER)]) == [True]

    async def answer(self, task_id: str, *, watch: bool = False) -> bytes:
        """What comes for a task that somebody else runs."""
        async with asyncio.timeout(BOUND_SECONDS), self.replies.expect(task_id, watch=watch) as document:
            return await document


@asynccontextmanager
async def waiting(proxy: TcpProxy, client: redis.Redis, own_redis: PrivateRedis) -> AsyncIterator[Waiting]:
    """A process that waits, through the proxy."""
    given = Settings(redis_url=proxy.of(own_redis.url))
    async with asynchronous_client(given.redis_url) as connected:
        tasks = TaskStore(connected, given)
        replies = Replies(listening_client(given.redis_url), tasks)
        try:
            yield Waiting(replies, tasks, TaskAttempts(client, given))
        finally:
            await replies.close()


def channels(client: redis.Redis) -> list[bytes]:
    """What somebody is subscribed to."""
    found: list[bytes] = client.pubsub_channels()  # type: ignore[assignment]
    return found


def new_id() -> str:
    """A task id."""
    return str(uuid.uuid4())
