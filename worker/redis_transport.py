"""kombu's Redis transport, which takes nothing out of Redis before it can say where it is.

kombu waits with BRPOP, which takes. Here a channel waits at each of its lists with a BLMOVE that lays the
last item back where it was, over a connection for each, because Redis (6.2 or newer, or Valkey) has no such
wait for several. What there is is taken, into a slot, only once the process reads (`worker/redis_slots.py`):
nothing lies in a socket, and an answer that nobody reads loses nothing.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from queue import Empty
from typing import Any, ClassVar

import redis
from kombu.transport import TRANSPORT_ALIASES, virtual
from kombu.transport import redis as kombu_redis
from kombu.utils.json import dumps, loads

from worker.readable_items import readable
from worker.redis_poller import Poller, Wait
from worker.redis_slots import let_go, take

NEVER = "tandem:fetched:never"
"""A list that does not exist: waiting at it is a pause that a full Redis grants."""
FULL = "used memory > 'maxmemory'"

_Channel: Any = kombu_redis.Channel  # its stubs know half of it


class QoS(kombu_redis.QoS):
    """Notes a delivery and empties its slot in one transaction."""

    channel: Any

    def append(self, message: Any, delivery_tag: str) -> None:
        """As kombu's own, for a message that was taken from Redis."""
        if self.channel.slot is None:
            super().append(message, delivery_tag)
            return
        delivery = message.delivery_info
        note = dumps([message._raw, delivery["exchange"], delivery["routing_key"]])  # noqa: SLF001  as kombu does
        with self.channel.commands.pipeline() as pipe:
            pipe.zadd(self.unacked_index_key, {delivery_tag: time.time()})
            pipe.hset(self.unacked_key, delivery_tag, note)
            let_go(pipe, self.channel.slot)
            pipe.execute()
        self.channel.slot = None
        virtual.QoS.append(self, message, delivery_tag)


class Channel(_Channel):  # type: ignore[misc]
    """Waits without taking, and sees each item of a list as a message that kombu can read."""

    QoS = QoS

    is_busy: ClassVar["staticmethod[[], bool]"] = staticmethod(lambda: False)
    """Whether the event loop is about to stand still: then nothing is taken, so that another worker may."""

    slot: bytes | None = None
    """Where the item lies that is being delivered, until it is noted."""
    _found = False
    """Whether the last look found something: then the next does not wait."""
    _full = False
    """Whether Redis has refused for want of memory: what was taken now could not be noted."""

    max_connections = 20
    """kombu's ten would do for the queues of predictions, not for all there are."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.waits: dict[str, Wait] = {}
        super().__init__(*args, **kwargs)

    @cached_property
    def commands(self) -> Any:
        """The client that takes and notes; kombu makes one each time, which takes as long as two commands."""
        return self._create_client()

    def _brpop_start(self) -> None:
        queues = self.active_queues
        if self.is_busy() or not queues:
            return
        self._in_poll = self.client.connection
        self._brpop_sent_at = time.monotonic()
        command = ("PING",) if self._found else self.wait_at(queues[0])
        self._full = False
        self._in_poll.send_command(*command)

    def _brpop_read(self, **_: Any) -> bool:
        try:
            self.answer(self.client)
        finally:
            self._in_poll = None
            self._flush_brpop_reauth()
        return self.serve()

    def new_client(self) -> Any:
        """A client for one more connection that the poller polls."""
        return self._create_client(asynchronous=True)

    def wait_at(self, queue: str) -> tuple[Any, ...]:
        """The command that waits until there is something in a list, or until `brpop_timeout`."""
        if self._full:
            return ("BRPOP", NEVER, self.brpop_timeout)
        return ("BLMOVE", queue, queue, "RIGHT", "RIGHT", self.brpop_timeout)

    def answer(self, client: Any) -> Any:
        """The answer to it; raises connection errors, and Empty where Redis has no memory left."""
        try:
            with self._none_when_full():
                return client.parse_response(client.connection, "BLMOVE")
        except self.connection_errors:
            client.connection.disconnect()
            raise

    def serve(self) -> bool:
        """Take the next message there is and deliver it; raises Empty."""
        queues = self._queue_cycle.consume(len(self.active_queues))
        if self.is_busy() or not queues or not self.qos.can_consume():
            raise Empty
        queue, payload = self._take(queues)
        self._queue_cycle.rotate(queue)
        try:
            self.connection._deliver(payload, queue)  # noqa: SLF001  as kombu does
            self._let_go()
        finally:
            self.slot = None
        return True

    def _take(self, queues: Sequence[str]) -> tuple[str, Any]:
        lists = [self._q_for_pri(queue, step) for step in self.priority_steps for queue in queues]
        self._found = False
        with self._none_when_full():
            taken = take(self.commands, lists)
        self._found = taken is not None
        if taken is None:
            raise Empty
        self.slot = taken.slot
        return taken.queue.decode().rsplit(self.sep, 1)[0], loads(readable(taken.item))

    @contextmanager
    def _none_when_full(self) -> Iterator[None]:
        try:
            yield
        except redis.exceptions.ResponseError as error:
            if FULL not in str(error):
                raise
            self._full = True
            raise Empty from None

    def _let_go(self) -> None:
        """Empty the slot of a message that nobody has to acknowledge."""
        if self.slot is not None:
            with self.commands.pipeline() as pipe:
                let_go(pipe, self.slot)
                pipe.execute()

    def _get(self, queue: str) -> Any:
        return self._take([queue])[1]

    def basic_get(self, queue: str, no_ack: bool = False, **kwargs: Any) -> Any:  # noqa: FBT001, FBT002  AMQP's
        """Take a message without waiting; None where there is none."""
        try:
            message = super().basic_get(queue, no_ack=no_ack, **kwargs)
            self._let_go()
        finally:
            self.slot = None
        return message

    def close(self) -> None:
        """Close without waiting for an answer: none of them can hold a message."""
        self._in_poll = None
        super().close()


class Transport(kombu_redis.Transport):
    """The transport with that channel."""

    Channel = Channel

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.cycle = Poller()


def install() -> None:
    """Let this process's `redis://` connections take so."""
    TRANSPORT_ALIASES["redis"] = TRANSPORT_ALIASES["rediss"] = f"{__name__}:Transport"
