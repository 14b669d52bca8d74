"""Between py-amqp and its socket: many frames in one system call, on the way out and on the way in."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from amqp.method_framing import frame_writer

HELD_BYTES = 1_000_000
"""What is held at most before it is sent all the same."""
READ_BYTES = 65_536
Write = Callable[[memoryview | bytes | bytearray], None]


class FrameBuffer:
    """What py-amqp writes its frames to; `writer` is the `frame_writer` option of its connection."""

    def __init__(self) -> None:
        self._write: Write
        self._held: bytearray | None = None

    def writer(self, connection: Any, transport: Any) -> Callable[..., None]:
        """Make py-amqp's own frame writer, writing here instead of to the transport."""
        self._write = transport.write
        made: Callable[..., None] = frame_writer(connection, self)
        return made

    def write_to(self, write: Write) -> None:
        """Give what is to be sent to `write`, and no longer to the transport."""
        self._write = write

    def write(self, frames: memoryview | bytes) -> None:
        """Send, or hold; py-amqp uses the memory of `frames` again."""
        if self._held is None:
            self._write(frames)
            return
        self._held += frames
        if len(self._held) > HELD_BYTES:
            self._write(self._held)
            self._held = bytearray()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold what is written inside, and send it at the end; whatever is raised inside leaves it unsent."""
        held = self._held = bytearray()
        try:
            yield
            held = self._held
        finally:
            self._held = None
        if held:
            self._write(held)


class ReadAhead:
    """What py-amqp reads a few bytes at a time, read from the socket in as large pieces as there are."""

    def __init__(self, source: socket.socket) -> None:
        self._source = source
        self._held = memoryview(b"")

    @property
    def has_more(self) -> bool:
        """Whether there is something that has been read and not been taken."""
        return bool(self._held)

    def recv(self, wanted: int) -> memoryview:
        """As a socket's `recv`; nothing there is a TimeoutError also where the socket does not wait."""
        if not self._held:
            try:
                self._held = memoryview(self._source.recv(READ_BYTES))
            except BlockingIOError:
                # By any other name py-amqp would ask again and again.
                raise TimeoutError from None
        taken, self._held = self._held[:wanted], self._held[wanted:]
        return taken
