"""kombu's poller of Redis connections, which lets a channel wait at several lists, over a connection each."""

import time
from dataclasses import dataclass
from queue import Empty
from typing import Any

from kombu.transport import redis as kombu_redis

_Poller: Any = kombu_redis.MultiChannelPoller  # its stubs know half of it


@dataclass(eq=False)
class Wait:
    """A wait at one list: who owns its connection, and since when (monotonic seconds) an answer is due."""

    client: Any
    since: float | None = None


class Poller(_Poller):  # type: ignore[misc]
    """Polls each channel's first list as kombu does, and the others beside it.

    A connection whose answer is overdue, because it died without a word, is given up, as kombu does its own.
    """

    def _register_BRPOP(self, channel: Any) -> None:  # noqa: N802  kombu's name
        super()._register_BRPOP(channel)
        for queue in channel.active_queues[1:]:
            self._wait(channel, queue)

    def _wait(self, channel: Any, queue: str) -> None:
        if queue not in channel.waits:
            channel.waits[queue] = Wait(channel.new_client())
        wait = channel.waits[queue]
        if not self._client_registered(channel, wait.client, queue):
            wait.since = None
            self._register(channel, wait.client, queue)
        if wait.since is None:
            if not channel.is_busy():
                wait.client.connection.send_command(*channel.wait_at(queue))
                wait.since = time.monotonic()
        elif time.monotonic() - wait.since > channel.brpop_timeout + channel.health_check_interval:
            wait.client.connection.disconnect()

    def on_readable(self, fileno: int) -> Any:
        """Read what a wait has brought, also while the channel may hold no more: it is no message yet."""
        channel, queue = self._fd_to_chan.get(fileno, (None, None))
        wait = channel and channel.waits.get(queue)
        if not wait:
            return super().on_readable(fileno)
        if wait.since is None:  # no answer is due: the server has closed it
            wait.client.connection.disconnect()
            raise Empty
        wait.since = None
        if channel.answer(wait.client) is None:
            raise Empty
        return channel.serve()

    def handle_event(self, fileno: int, event: int) -> Any:
        """Where there is no event loop: an error of such a connection shows when it is read."""
        channel, queue = self._fd_to_chan.get(fileno, (None, None))
        if channel is not None and queue in channel.waits:
            return self.on_readable(fileno), self
        return super().handle_event(fileno, event)
