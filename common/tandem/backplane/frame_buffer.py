"""The frames of one batch of messages, sent in one go: one system call instead of one a message."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from amqp.method_framing import frame_writer

HELD_BYTES = 1_000_000
"""What is held at most before it is sent all the same."""


class FrameBuffer:
    """What py-amqp writes its frames to; `writer` is the `frame_writer` option of its connection."""

    def __init__(self) -> None:
        self._transport: Any = None
        self._held: bytearray | None = None

    def writer(self, connection: Any, transport: Any) -> Callable[..., None]:
        """Make py-amqp's own frame writer, writing here instead of to the transport."""
        self._transport = transport
        made: Callable[..., None] = frame_writer(connection, self)
        return made

    def write(self, frames: memoryview | bytes) -> None:
        """Send, or hold; py-amqp uses the memory of `frames` again."""
        if self._held is None:
            self._transport.write(frames)
            return
        self._held += frames
        if len(self._held) > HELD_BYTES:
            self._transport.write(self._held)
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
            self._transport.write(held)
