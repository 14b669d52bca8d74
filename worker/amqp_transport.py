"""kombu's AMQP transport, reading what has arrived at once and not three system calls a frame.

py-amqp asks the socket for seven bytes, for a frame and for one byte more, and sets the socket's timeout
twice for each: three times a message. Here it is given as much as has arrived; what it keeps of that is read
as frames without asking the socket again, as far as they are whole.
"""

from collections.abc import Callable, Mapping
from ssl import SSLWantReadError
from typing import Any

from amqp import transport as amqp_transport
from amqp.exceptions import RecoverableConnectionError
from kombu.transport import pyamqp

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
    """A connection that leaves nothing lying where the event loop would not see it."""

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

    def drain_events(self, timeout: float | None = None) -> None:
        """Wait for an event, and take those that have come with it."""
        read: Any = self.blocking_read  # whose answer the stubs do not know
        ready = self._take_received()
        while not ready:
            ready = read(timeout)
            ready = self._take_received() or ready

    def _take_received(self) -> bool:
        """Take the whole frames among what has been received; whether there was an event."""
        ready = False
        while self.connected:
            try:
                frame = self.transport.received_frame()
            except TimeoutError:
                break
            ready = self.on_inbound_frame(frame) or ready
        return ready


class Transport(pyamqp.Transport):
    """The transport with that connection."""

    Connection = Connection

    def on_readable(self, connection: Any, loop: Any) -> None:  # noqa: ARG002  kombu's
        """Take what has arrived; the loop comes again where there is more."""
        if not connection.connected:
            raise RecoverableConnectionError("Socket was disconnected")
        try:
            connection.drain_events(timeout=0)
        except TimeoutError:
            return
