"""Publishing to Redis through kombu: pushed in one pipeline, with a limit that its lists do not have."""

from collections.abc import Sequence
from typing import Any

from kombu import Producer

from tandem.backplane.errors import QueueFull, TandemError
from tandem.backplane.message import Message


class RedisPublishing:
    """Pushes to `channel`, whose queues take `queue_max_length` messages; owns nothing."""

    def __init__(self, channel: Any, queue_max_length: int) -> None:
        self._channel = channel
        self._producer: Any = Producer(channel, auto_declare=False)
        self._queue_max_length = queue_max_length
        self._room: dict[str, int] = {}

    def publish(self, messages: Sequence[Message]) -> dict[str, TandemError]:
        """Push all that there is room for, and give the refused ones by task id."""
        self._room = {}
        refused: dict[str, TandemError] = {}
        with self._producer.batch(len(messages) or 1):
            for message in messages:
                if self._takes(message.queue):
                    self._push(message)
                else:
                    refused[message.task_id] = QueueFull()
        return refused

    def ping(self) -> None:
        """Return once Redis has answered."""
        self._channel.client.ping()

    def _takes(self, queue: str) -> bool:
        """Whether there is room for one more of this batch."""
        if queue not in self._room:
            self._room[queue] = self._queue_max_length - int(self._channel.client.llen(queue))
        self._room[queue] -= 1
        return self._room[queue] >= 0

    def _push(self, message: Message) -> None:
        self._producer.publish(
            message.body,
            exchange="",
            routing_key=message.queue,
            content_type="application/json",
            content_encoding="utf-8",
            headers=dict(message.headers),
            delivery_mode=2 if message.durable else 1,
            expiration=message.expiration_seconds,
            correlation_id=message.task_id,
            retry=False,
        )
