"""One publishing connection to the broker, through kombu: confirms counted, waits bounded, doubt ends it.

kombu's own retries are not used: it takes a broker's nack for a broken connection and reconnects at every
one. Its closing handshake is not used either: under a memory alarm the broker never answers it.
"""

import selectors
import socket
import struct
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import takewhile
from typing import Any

from amqp.exceptions import AMQPError, NotFound
from kombu import Connection
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from tandem.backplane.errors import BrokerBlocked, BrokerUnavailable, QueueFull, QueueMissing, TandemError
from tandem.backplane.frame_buffer import FrameBuffer, ReadAhead, Write
from tandem.backplane.message import Message
from tandem.backplane.prepared_message import prepared
from tandem.backplane.redis_publishing import RedisPublishing

CONNECT_SECONDS = 1.5
CONFIRM_SECONDS = 3.0
BLOCKED_SECONDS = 30.0
"""How long a connection that the broker blocked is kept for its word that the alarm is over."""
IDLE_SECONDS = 240.0
"""An older idle connection may have been dropped by something on the way without a word."""
TRANSPORT_ERRORS = (AMQPError, KombuError, RedisError, OSError)
STUMBLES = (AttributeError, LookupError, TypeError, ValueError, struct.error)
"""What py-amqp and kombu run into when a connection ends under their feet, or a header fits no frame."""

_TRIES = {"max_retries": 1, "interval_start": 0, "interval_step": 0.1}
_Selector = getattr(selectors, "PollSelector", selectors.SelectSelector)


def tls_of(url: str) -> dict[str, Any]:
    """What kombu is to be given as `ssl` for an `amqps://` address: verify the host name, too.

    py-amqp by itself verifies only that somebody it trusts has signed the certificate, for whichever host.
    None stands for the address's own host.
    """
    return {"server_hostname": None} if url.startswith("amqps://") else {}


Settled = list[tuple[int, TandemError | None]]
"""By number, the messages that the broker has spoken about since: None for those it has confirmed."""


class BrokerConnection:
    """A connection for publishing; used by one thread at a time, closed by its owner."""

    def __init__(self, url: str, queue_max_length: int) -> None:
        self._is_redis = url.startswith("redis")
        self._queue_max_length = queue_max_length
        self._blocked_at: float | None = None
        self.used_at = time.time()
        """By the wall clock: a frozen process's monotonic clock may have stood still."""
        self._tag = 0
        self._unconfirmed: dict[int, str] = {}
        """Task ids by the broker's number of the message, ascending."""
        self._returned: dict[str, TandemError] = {}
        self._settled: Settled = []
        self._redis: RedisPublishing | None = None
        self._amqp: Any = None
        """Drained itself: in place of one that has ended kombu makes another, and waits for that."""
        self._frames = FrameBuffer()
        self._ahead: ReadAhead | None = None
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

    @property
    def suits_an_event_loop(self) -> bool:
        """Whether `stop_waiting` may be called: its socket passes bytes on and does nothing else."""
        return self._ahead is not None and sys.platform != "win32"

    @property
    def is_trusted(self) -> bool:
        """Whether it has been used not long ago."""
        return 0 <= time.time() - self.used_at < IDLE_SECONDS

    def _amqp_options(self) -> dict[str, Any]:
        options = {
            **_TRIES,
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
            **_TRIES,
            "socket_connect_timeout": CONNECT_SECONDS,
            "socket_timeout": CONFIRM_SECONDS,
        }

    def _open(self) -> None:
        if not self._is_redis:
            self._bound_waits()
        self._channel = self._connection.default_channel
        if self._is_redis:
            self._redis = RedisPublishing(self._channel, self._queue_max_length)
        else:
            self._channel.confirm_select()
            self._channel.events["basic_return"].add(self._on_return)
            self._channel.events["basic_ack"].add(self._on_ack)
            self._channel.events["basic_nack"].add(self._on_nack)

    def _bound_waits(self) -> None:
        self._connection.ensure_connection(**_TRIES, timeout=CONNECT_SECONDS)
        amqp = self._amqp = self._connection.connection
        # The options read_timeout and write_timeout would not end a frame that has half arrived.
        self._socket = amqp.transport.sock
        self._socket.settimeout(CONFIRM_SECONDS)
        if not hasattr(self._socket, "pending"):  # which one of TLS has
            self._ahead = ReadAhead(self._socket)
            amqp.transport._quick_recv = self._ahead.recv  # noqa: SLF001  it has no other place to say so
        # What py-amqp would look for before each message, `publish` looks for once a batch.
        amqp.client_properties.get("capabilities", {})["connection.blocked"] = False

    def publish(self, messages: Sequence[Message]) -> dict[str, TandemError]:
        """Publish all, wait for every confirm, and give the refused ones by task id.

        Raises BrokerBlocked while the broker takes none, and BrokerUnavailable when it is unknown what became
        of a message; after the latter the connection must be closed. A message published again after either
        must keep its task id.
        """
        with self._doubts():
            if self._redis is not None:
                return self._redis.publish(messages)
            self._refuse_while_blocked()
            waiting = dict(zip(self._send_all(messages), messages, strict=True))
            deadline = time.monotonic() + CONFIRM_SECONDS
            refused: dict[str, TandemError] = {}
            while waiting:
                self._amqp.drain_events(timeout=max(0.001, deadline - time.monotonic()))
                self.raise_if_blocked()
                for number, error in self.settled():
                    message = waiting.pop(number, None)
                    if message is not None and error is not None:
                        refused.setdefault(message.task_id, error)
            return refused

    def stop_waiting(self, write: Write) -> socket.socket:
        """From now on an event loop has this connection, which waits for nothing any more.

        What is to be sent is given to `write`; what has come, `read` takes out of the socket. The socket this
        gives is the caller's to close, and stays of use to an event loop when py-amqp has closed its own.
        """
        self._socket.setblocking(False)
        self._frames.write_to(write)
        given: socket.socket = self._socket.dup()
        return given

    def send(self, messages: Sequence[Message]) -> Sequence[int]:
        """Send messages without waiting, and give their numbers; raises BrokerUnavailable."""
        with self._doubts():
            return self._send_all(messages)

    def read(self) -> None:
        """Take in what has come, for `settled` and `raise_if_blocked`; BrokerUnavailable at its end."""
        with self._doubts(), suppress(TimeoutError):
            while True:
                self._amqp.drain_events()
        if not self._channel.is_open:  # the broker closed it, and py-amqp had no time to open it again
            raise BrokerUnavailable("The broker closed the channel.")

    def settled(self) -> Settled:
        """What the broker has said of messages since this was asked last."""
        settled, self._settled = self._settled, []
        return settled

    def raise_if_blocked(self) -> None:
        """Raise BrokerBlocked while the broker takes nothing, BrokerUnavailable if it has not for long."""
        if self._blocked_at is None:
            return
        if not 0 <= time.time() - self._blocked_at < BLOCKED_SECONDS:
            raise BrokerUnavailable("The broker has taken no messages for a while.")
        raise BrokerBlocked("The broker takes no messages at present (a resource alarm).")

    @staticmethod
    @contextmanager
    def _doubts(missed: str = "confirm") -> Iterator[None]:
        try:
            yield
        except (*TRANSPORT_ERRORS, *STUMBLES) as error:
            raise BrokerUnavailable(f"The broker did not {missed} ({type(error).__name__}).") from error

    def _send_all(self, messages: Sequence[Message]) -> Sequence[int]:
        first = self._tag + 1
        with self._frames.held():
            for message in messages:
                self._tag += 1
                self._unconfirmed[self._tag] = message.task_id
                self._send(message)
        return range(first, self._tag + 1)

    def _send(self, message: Message) -> None:
        # A ping goes to no queue, and is not to come back.
        expiration = message.expiration_seconds
        content = prepared(
            message.body,
            message.headers,
            delivery_mode=2 if message.durable else 1,
            priority=0,
            correlation_id=message.task_id,
            expiration=None if expiration is None else str(int(expiration * 1000)),
        )
        self._channel.basic_publish(content, routing_key=message.queue, mandatory=bool(message.queue))

    def ping(self) -> None:
        """Ask the broker for a sign of life; raises BrokerUnavailable."""
        with self._doubts("answer"):
            if self._redis is not None:
                self._redis.ping()
                return
            self._refuse_while_blocked()
            self._channel.basic_qos(0, 0, False)

    def depth(self, queue: str) -> tuple[int, int] | None:
        """Messages on RabbitMQ that nobody has taken, and consumers; None where there is no such queue.

        Raises BrokerUnavailable.
        """
        with self._doubts("answer"):
            channel = self._connection.channel()
            try:
                _, messages, consumers = channel.queue_declare(queue, passive=True)
            except NotFound:
                return None  # and the broker has closed the channel
            channel.close()
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
                self._amqp.drain_events(timeout=0.001)
        self.raise_if_blocked()

    def _has_news(self) -> bool:
        # Asked of the socket, for py-amqp's read without waiting spins on a frame that has half arrived.
        if self._ahead is not None and self._ahead.has_more:
            return True
        with _Selector() as selector:
            selector.register(self._socket, selectors.EVENT_READ)
            return bool(getattr(self._socket, "pending", int)() or selector.select(0))

    def _on_blocked(self, _reason: str) -> None:
        self._blocked_at = time.time()

    def _on_unblocked(self) -> None:
        self._blocked_at = None

    def _on_return(self, _error: Exception, _exchange: Any, routing_key: str, returned: Any) -> None:
        # Its confirm comes after it.
        task_id = returned.properties.get("correlation_id", "")
        self._returned[task_id] = QueueMissing(f"The broker has no queue {routing_key!r}.")

    def _confirmed(self, tag: int, multiple: bool) -> list[tuple[int, str]]:  # noqa: FBT001  AMQP's own order
        tags = list(takewhile(lambda known: known <= tag, self._unconfirmed)) if multiple else [tag]
        return [(known, self._unconfirmed.pop(known)) for known in tags if known in self._unconfirmed]

    def _on_ack(self, tag: int, multiple: bool) -> None:  # noqa: FBT001  py-amqp calls it so
        for number, task_id in self._confirmed(tag, multiple):
            self._settled.append((number, self._returned.pop(task_id, None)))

    def _on_nack(self, tag: int, multiple: bool) -> None:  # noqa: FBT001  py-amqp calls it so
        for number, task_id in self._confirmed(tag, multiple):
            self._settled.append((number, self._returned.pop(task_id, None) or QueueFull()))
