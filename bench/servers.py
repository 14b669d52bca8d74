"""One RabbitMQ and one Redis for all that need them, standing still while something else is measured."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from local.private_rabbitmq import PrivateRabbitmq
from local.private_redis import PrivateRedis

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType
    from typing import Self


class Servers:
    """Started on entry, paused until somebody uses them, stopped on exit; StartError when one is missing."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._directory = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="tandem-bench-")))
        self.rabbitmq = PrivateRabbitmq(self._directory / "rabbitmq")
        self.redis = PrivateRedis(self._directory / "redis")

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            stack.push(self._stack)
            for server in (self.redis, self.rabbitmq):
                stack.enter_context(server)
                stack.callback(server.resume)  # one that stands still cannot stop
                server.pause()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def pids(self) -> list[int]:
        """The two processes; what they started belongs to them."""
        return [self.rabbitmq.child.pid, self.redis.child.pid]

    @property
    def broker_url(self) -> str:
        """RabbitMQ."""
        return self.rabbitmq.url

    @property
    def redis_url(self) -> str:
        """Redis."""
        return self.redis.url

    @contextlib.contextmanager
    def awake(self) -> Iterator[None]:
        """Let them run for as long as somebody uses them."""
        for server in (self.redis, self.rabbitmq):
            server.resume()
        try:
            yield
        finally:
            for server in (self.redis, self.rabbitmq):
                server.pause()
