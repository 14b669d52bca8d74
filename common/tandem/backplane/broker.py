"""One publishing connection to the broker, through kombu: confirms counted, waits bounded, doubt ends it.

kombu's own retries are not used: it takes a broker's nack for a broken connection and reconnects at every
one. Its closing handshake is not used either: under a memory alarm the broker never answers it.
"""

import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, cast

from amqp.exceptions import AMQPError
from kombu import Connection, Producer
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from tandem.backplane.errors import BrokerUnavailable, QueueFull, QueueMissing, TandemError
from tandem.backplane.message import Message

CONNECT_SECONDS = 1.5
CONFIRM_SECONDS = 3.0
TRANSPORT_ERRORS = (AMQPError, KombuError, RedisError, OSError)


class BrokerConnection:
    """A connection for publishing; used by one thread, closed by its owner."""

    def __init__(self, url: str, queue_max_length: int) -> None:
        self._is_redis = url.startswith("redis")
        self._queue_max_length = queue_max_length
        self._blocked = False
        self._tag = 0
        self._unconfirmed: dict[int, Message] = {}
        self._refused: dict[str, TandemError] = {}
        self._connection = Connection(
            url,
            connect_timeout=CONNECT_SECONDS,
            heartbeat=0,
            transport_options=self._redis_options() if self._is_redis else self._amqp_options(),
        )
        try:
            # py-amqp's channel or the Redis transport's; kombu's own type knows neither's methods.
            self._channel = cast("Any", self._connection.default_channel)
            on_return = None if self._is_redis else self._on_return
            self._producer = Producer(self._channel, auto_declare=False, on_return=on_return)
            if not self._is_redis:
                self._channel.confirm_select()
                self._channel.events["basic_ack"].add(self._on_ack)
                self._channel.events["basic_nack"].add(self._on_nack)
        except TRANSPORT_ERRORS as error:
            self.close()
            raise BrokerUnavailable(f"The broker cannot be reached ({type(error).__name__}).") from error

    def _amqp_options(self) -> dict[str, Any]:
        return {
            "max_retries": 1,
            "interval_start": 0,
            "interval_step": 0.1,
            "read_timeout": CONFIRM_SECONDS,
            "write_timeout": CONFIRM_SECONDS,
            "on_blocked": self._on_blocked,
            "on_unblocked": self._on_unblocked,
        }

    @staticmethod
    def _redis_options() -> dict[str, Any]:
        return {
            "max_retries": 1,
            "interval_start": 0,
            "interval_step": 0.1,
            "socket_connect_timeout": CONNECT_SECONDS,
            "socket_timeout": CONFIRM_SECONDS,
        }

    def publish(self, messages: Sequence[Message]) -> dict[str, TandemError]:
        """Publish all, wait for every confirm, and give the refused ones by task id.

        Raises BrokerUnavailable when it is unknown what became of a message; the connection must then be
        closed. A message published again after that must keep its task id.
        """
        self._refused = {}
        self._unconfirmed = {}
        try:
            self._refuse_while_blocked()
            for message in messages:
                self._send(message)
            deadline = time.monotonic() + CONFIRM_SECONDS
            while self._unconfirmed:
                self._connection.drain_events(timeout=max(0.001, deadline - time.monotonic()))
        except TRANSPORT_ERRORS as error:
            raise BrokerUnavailable(f"The broker did not confirm ({type(error).__name__}).") from error
        return self._refused

    def _send(self, message: Message) -> None:
        if self._is_redis and self._length(message.queue) >= self._queue_max_length:
            self._refused[message.task_id] = QueueFull()
            return
        if not self._is_redis:
            self._tag += 1
            self._unconfirmed[self._tag] = message
        self._producer.publish(
            message.body,
            exchange="",
            routing_key=message.queue,
            content_type="application/json",
            content_encoding="utf-8",
            headers=dict(message.headers),
            delivery_mode=2 if message.durable else 1,
            mandatory=True,
            expiration=message.expiration_seconds,
            correlation_id=message.task_id,
            retry=False,
        )

    def ping(self) -> None:
        """Ask the broker for a sign of life; raises BrokerUnavailable."""
        try:
            if self._is_redis:
                self._channel.client.ping()
                return
            self._refuse_while_blocked()
            self._channel.basic_qos(0, 0, False)
        except TRANSPORT_ERRORS as error:
            raise BrokerUnavailable(f"The broker did not answer ({type(error).__name__}).") from error

    def close(self) -> None:
        """Drop the socket without the closing handshake, which a broker in trouble never answers."""
        self._connection.collect(socket_timeout=0.1)

    def _length(self, queue: str) -> int:
        return int(self._channel.client.llen(queue))

    def _refuse_while_blocked(self) -> None:
        if self._blocked:
            with suppress(TimeoutError):
                self._connection.drain_events(timeout=0.001)
        if self._blocked:
            raise BrokerUnavailable("The broker takes no messages at present (a resource alarm).")

    def _on_blocked(self, _reason: str) -> None:
        self._blocked = True

    def _on_unblocked(self) -> None:
        self._blocked = False

    def _on_return(self, _error: Exception, _exchange: Any, routing_key: str, returned: Any) -> None:
        task_id = returned.properties.get("correlation_id", "")
        self._refused[task_id] = QueueMissing(f"The broker has no queue {routing_key!r}.")

    def _confirmed(self, tag: int, multiple: bool) -> list[Message]:  # noqa: FBT001  AMQP's own order
        tags = [known for known in self._unconfirmed if known <= tag] if multiple else [tag]
        return [self._unconfirmed.pop(known) for known in tags if known in self._unconfirmed]

    def _on_ack(self, tag: int, multiple: bool) -> None:  # noqa: FBT001  py-amqp calls it so
        self._confirmed(tag, multiple)

    def _on_nack(self, tag: int, multiple: bool) -> None:  # noqa: FBT001  py-amqp calls it so
        for message in self._confirmed(tag, multiple):
            self._refused.setdefault(message.task_id, QueueFull())
