"""One publishing connection to the broker, through kombu: confirms counted, waits bounded, doubt ends it.

kombu's own retries are not used: it takes a broker's nack for a broken connection and reconnects at every
one. Its closing handshake is not used either: under a memory alarm the broker never answers it.
"""

import selectors
import socket
import struct
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from amqp.exceptions import AMQPError, NotFound
from kombu import Connection, Producer
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from tandem.backplane.errors import BrokerBlocked, BrokerUnavailable, QueueFull, QueueMissing, TandemError
from tandem.backplane.frame_buffer import FrameBuffer
from tandem.backplane.message import Message

CONNECT_SECONDS = 1.5
CONFIRM_SECONDS = 3.0
BLOCKED_SECONDS = 30.0
"""How long a connection that the broker blocked is kept for its word that the alarm is over."""
TRANSPORT_ERRORS = (AMQPError, KombuError, RedisError, OSError)
STUMBLES = (AttributeError, LookupError, TypeError, ValueError, struct.error)
"""What py-amqp and kombu run into when a connection ends under their feet, or a header fits no frame."""

_Selector = getattr(selectors, "PollSelector", selectors.SelectSelector)


def tls_of(url: str) -> dict[str, Any]:
    """What kombu is to be given as `ssl` for an `amqps://` address: verify the host name, too.

    py-amqp by itself verifies only that somebody it trusts has signed the certificate, for whichever host.
    None stands for the address's own host.
    """
    return {"server_hostname": None} if url.startswith("amqps://") else {}


class BrokerConnection:
    """A connection for publishing; used by one thread, closed by its owner."""

    def __init__(self, url: str, queue_max_length: int) -> None:
        self._is_redis = url.startswith("redis")
        self._queue_max_length = queue_max_length
        self._blocked_at: float | None = None
        self._tag = 0
        self._unconfirmed: dict[int, Message] = {}
        self._refused: dict[str, TandemError] = {}
        self._room: dict[str, int] = {}
        self._frames = FrameBuffer()
        # Any, here and below: kombu's own types know neither the transports' methods nor all of its own.
        self._connection: Any = Connection(
            url,
            ssl=tls_of(url),
            connect_timeout=CONNECT_SECONDS,
            heartbeat=0,
            transport_options=self._redis_options() if self._is_redis else self._amqp_options(),
        )
        try:
            self._open()
        except (*TRANSPORT_ERRORS, *STUMBLES) as error:
            self.close()
            raise BrokerUnavailable(f"The broker cannot be reached ({type(error).__name__}).") from error

    def _amqp_options(self) -> dict[str, Any]:
        options = {
            "max_retries": 1,
            "interval_start": 0,
            "interval_step": 0.1,
            "frame_writer": self._frames.writer,
            "on_blocked": self._on_blocked,
            "on_unblocked": self._on_unblocked,
        }
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            # py-amqp's own second gives a connection up for one lost packet.
            options["socket_settings"] = {socket.TCP_USER_TIMEOUT: int(CONFIRM_SECONDS * 1000)}
        return options

    @staticmethod
    def _redis_options() -> dict[str, Any]:
        return {
            "max_retries": 1,
            "interval_start": 0,
            "interval_step": 0.1,
            "socket_connect_timeout": CONNECT_SECONDS,
            "socket_timeout": CONFIRM_SECONDS,
        }

    def _open(self) -> None:
        if not self._is_redis:
            self._bound_waits()
        self._channel = self._connection.default_channel
        on_return = None if self._is_redis else self._on_return
        self._producer: Any = Producer(self._channel, auto_declare=False, on_return=on_return)
        if not self._is_redis:
            self._channel.confirm_select()
            self._channel.events["basic_ack"].add(self._on_ack)
            self._channel.events["basic_nack"].add(self._on_nack)

    def _bound_waits(self) -> None:
        self._connection.ensure_connection(
            max_retries=1, interval_start=0, interval_step=0.1, timeout=CONNECT_SECONDS
        )
        amqp = self._connection.connection
        # The options read_timeout and write_timeout would not end a frame that has half arrived.
        self._socket = amqp.transport.sock
        self._socket.settimeout(CONFIRM_SECONDS)
        # What py-amqp would look for before each message, `publish` looks for once a batch.
        amqp.client_properties.get("capabilities", {})["connection.blocked"] = False

    def publish(self, messages: Sequence[Message]) -> dict[str, TandemError]:
        """Publish all, wait for every confirm, and give the refused ones by task id.

        Raises BrokerBlocked while the broker takes none, and BrokerUnavailable when it is unknown what became
        of a message; after the latter the connection must be closed. A message published again after either
        must keep its task id.
        """
        self._refused, self._unconfirmed, self._room = {}, {}, {}
        try:
            self._refuse_while_blocked()
            with self._producer.batch(len(messages) or 1) if self._is_redis else self._frames.held():
                for message in messages:
                    self._send(message)
            self._await_confirms()
        except (*TRANSPORT_ERRORS, *STUMBLES) as error:
            raise BrokerUnavailable(f"The broker did not confirm ({type(error).__name__}).") from error
        return self._refused

    def _send(self, message: Message) -> None:
        if self._is_redis:
            if not self._takes(message.queue):
                self._refused[message.task_id] = QueueFull()
                return
        else:
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

    def _takes(self, queue: str) -> bool:
        """Whether a queue on Redis, which knows no limit of its own, has room for one more of this batch."""
        if queue not in self._room:
            self._room[queue] = self._queue_max_length - int(self._channel.client.llen(queue))
        self._room[queue] -= 1
        return self._room[queue] >= 0

    def _await_confirms(self) -> None:
        deadline = time.monotonic() + CONFIRM_SECONDS
        while self._unconfirmed:
            self._connection.drain_events(timeout=max(0.001, deadline - time.monotonic()))
            self._raise_if_blocked()

    def ping(self) -> None:
        """Ask the broker for a sign of life; raises BrokerUnavailable."""
        try:
            if self._is_redis:
                self._channel.client.ping()
                return
            self._refuse_while_blocked()
            self._channel.basic_qos(0, 0, False)
        except (*TRANSPORT_ERRORS, *STUMBLES) as error:
            raise BrokerUnavailable(f"The broker did not answer ({type(error).__name__}).") from error

    def depth(self, queue: str) -> tuple[int, int] | None:
        """Messages on RabbitMQ that nobody has taken, and consumers; None where there is no such queue.

        Raises BrokerUnavailable.
        """
        try:
            channel = self._connection.channel()
            try:
                _, messages, consumers = channel.queue_declare(queue, passive=True)
            except NotFound:
                return None  # and the broker has closed the channel
            channel.close()
        except (*TRANSPORT_ERRORS, *STUMBLES) as error:
            raise BrokerUnavailable(f"The broker did not answer ({type(error).__name__}).") from error
        return messages, consumers

    def close(self) -> None:
        """Drop the socket without the closing handshake, which a broker in trouble never answers."""
        self._connection.collect(socket_timeout=0.1)

    def _refuse_while_blocked(self) -> None:
        """Take in what the broker has said since: that it is blocked, no longer, or gone."""
        if self._is_redis:
            return
        while self._has_news():
            with suppress(TimeoutError):
                self._connection.drain_events(timeout=0.001)
        self._raise_if_blocked()

    def _has_news(self) -> bool:
        # Asked of the socket, for py-amqp's read without waiting spins on a frame that has half arrived.
        with _Selector() as selector:
            selector.register(self._socket, selectors.EVENT_READ)
            return bool(getattr(self._socket, "pending", int)() or selector.select(0))

    def _raise_if_blocked(self) -> None:
        if self._blocked_at is None:
            return
        if not 0 <= time.time() - self._blocked_at < BLOCKED_SECONDS:
            raise BrokerUnavailable("The broker has taken no messages for a while.")
        raise BrokerBlocked("The broker takes no messages at present (a resource alarm).")

    def _on_blocked(self, _reason: str) -> None:
        self._blocked_at = time.time()

    def _on_unblocked(self) -> None:
        self._blocked_at = None

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
