"""kombu's AMQP transport, reading what has arrived at once and not three system calls a frame.

py-amqp asks the socket for seven bytes, for a frame and for one byte more, and sets the socket's timeout
twice for each: three times a message. Here it is given as much as has arrived; what it keeps of that is read
as frames without asking the socket again, as far as they are whole.
"""

from collections.abc import Callable, Mapping
from ssl import SSLWantReadError
from time import monotonic
from typing import Any

from amqp import transport as amqp_transport
from amqp.exceptions import ConnectionForced, RecoverableConnectionError
from kombu.transport import pyamqp

SILENT_SHARE = 0.8
"""Of a heartbeat's interval, within which the broker sends twice: silent for so long, it is not there."""
RECEIVED_BYTES = 16_384
"""Asked for at once: a dozen messages. py-amqp copies what it keeps at each read, so not more."""


def _nothing(_: int) -> bytes:
    raise TimeoutError


class _Greedy:
    """What the two transports of py-amqp, plain and TLS, have in common here."""

    _read_buffer: bytes
    _quick_recv: Callable[[int], bytes]
    read_frame: Any

    def _setup_transport(self) -> None:
        super()._setup_transport()  # type: ignore[misc]  # py-amqp's own, of the class beside this one
        self._receive = self._quick_recv
        self._quick_recv = self._receive_much

    def _receive_much(self, least: int) -> bytes:
        try:
            return self._receive(max(least, RECEIVED_BYTES))
        except (BlockingIOError, SSLWantReadError):
            # Which py-amqp, in the middle of a frame, would try again at once and without end.
            raise TimeoutError from None

    def received_frame(self) -> tuple[int, int, bytes]:
        """A frame out of what has been received; raises TimeoutError where there is no whole one."""
        if not self._read_buffer:
            raise TimeoutError
        self._quick_recv = _nothing
        try:
            frame: tuple[int, int, bytes] = self.read_frame()
        finally:
            self._quick_recv = self._receive_much
        return frame


class _TCPTransport(_Greedy, amqp_transport.TCPTransport):
    pass


class _SSLTransport(_Greedy, amqp_transport.SSLTransport):
    pass


class Connection(pyamqp.Connection):
    """A connection that leaves nothing lying where the event loop would not see it, and notices silence."""

    _heard_at = _ticked_at = float("-inf")
    _bytes_heard = 0
    take_rest_soon: Callable[[], object] = staticmethod(lambda: None)
    """Has the event loop look at what has been received already, of which the socket tells it nothing."""
    rest_is_due = False

    def Transport(  # noqa: N802, PLR0917  py-amqp's name and order
        self,
        host: str,
        connect_timeout: float | None,
        ssl: bool | dict[str, Any] = False,  # noqa: FBT001, FBT002
        read_timeout: float | None = None,
        write_timeout: float | None = None,
        socket_settings: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Any:
        """As py-amqp's own; `ssl` is False for none, True or its options."""
        made: Any = _SSLTransport if ssl else _TCPTransport
        return made(
            host,
            connect_timeout=connect_timeout,
            ssl=ssl,
            read_timeout=read_timeout,
            write_timeout=write_timeout,
            socket_settings=socket_settings,
            **options,
        )

    def heartbeat_tick(self, rate: int = 2) -> None:
        """Send a heartbeat if it is time to; raises ConnectionForced where the broker has been silent.

        py-amqp by itself waits for two whole intervals: as long as everything may take to be well again after
        a worker was cut off. Silence counts only while it is listened for, which a solo worker at work does
        not, and on a connection that consumes: nobody reads the one of events.
        """
        super().heartbeat_tick(rate)
        interval: float = self.heartbeat or float("inf")
        now = monotonic()
        looked_away = now - self._ticked_at > 2 * interval / rate
        if looked_away or self.bytes_recv != self._bytes_heard:
            self._heard_at, self._bytes_heard = now, self.bytes_recv
        self._ticked_at = now
        if now - self._heard_at > SILENT_SHARE * interval and self._consumes():
            raise ConnectionForced("The broker has been silent for too long")

    def _consumes(self) -> bool:
        channels = self.channels.values()  # type: ignore[attr-defined]  # missing in the stubs
        return any(getattr(channel, "callbacks", None) for channel in channels)

    def drain_events(self, timeout: float | None = None) -> None:
        """Wait for an event, and take those that have come with it; it alone while an answer is waited for.

        What comes right behind an answer may need what has still to be done with that: a queue's first
        message comes behind the answer after which its consumer is noted. The rest is taken soon after.
        """
        read: Any = self.blocking_read  # whose answer the stubs do not know
        alone = self._awaits_answer()
        ready = self._take_received(alone=alone)
        while not ready:
            ready = read(timeout)
            if not alone:
                ready = self._take_received() or ready
        if alone:
            self.take_rest_soon()

    def _awaits_answer(self) -> bool:
        channels: Any = self.channels.values()  # type: ignore[attr-defined]  # missing in the stubs
        return any(channel._pending for channel in channels)  # noqa: SLF001  py-amqp has no other word for it

    def _take_received(self, *, alone: bool = False) -> bool:
        """Take the whole frames among what has been received, or one event `alone`; whether there was any."""
        ready = False
        while self.connected and not (alone and ready):
            try:
                frame = self.transport.received_frame()
            except TimeoutError:
                break
            ready = self.on_inbound_frame(frame) or ready
        return ready


class Transport(pyamqp.Transport):
    """The transport with that connection."""

    Connection = Connection

    def register_with_event_loop(self, connection: Any, loop: Any) -> None:
        """Have the loop read what comes."""
        super().register_with_event_loop(connection, loop)

        def take_rest_soon() -> None:
            # One timer for all: the loop fires ten in a turn, and then waits for up to a second. Not
            # `call_soon`, which waits as long from a ready callback.
            if not connection.rest_is_due:
                connection.rest_is_due = True
                loop.timer.call_after(0, self._take_rest, (connection, loop))

        connection.take_rest_soon = take_rest_soon

    def _take_rest(self, connection: Any, loop: Any) -> None:
        connection.rest_is_due = False
        if connection.connected:
            self.on_readable(connection, loop)

    def on_readable(self, connection: Any, loop: Any) -> None:  # noqa: ARG002  kombu's
        """Take what has arrived; the loop comes again where there is more."""
        if not connection.connected:
            raise RecoverableConnectionError("Socket was disconnected")
        try:
            connection.drain_events(timeout=0)
        except TimeoutError:
            return
