"""One keep-alive HTTP/1.1 connection of the load generator: a request is bytes made before, an answer is cut.

Written out because a client library costs more processor time than the servers that are measured.
"""

from __future__ import annotations

import socket
from typing import NamedTuple

RECEIVE_BYTES = 262_144
CONNECT_SECONDS = 10


class Answer(NamedTuple):
    """Status and body of one answer."""

    status: int
    body: bytes


class HttpConnection:
    """At most one request is under way (`is_waiting`); `row` and `sent_at` are its owner's notes on that."""

    def __init__(self, port: int) -> None:
        """Connect to the port of this machine; OSError when nobody listens."""
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=CONNECT_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.is_waiting = False
        self.row = 0
        self.sent_at = 0.0
        self._received = b""

    def send(self, request: bytes) -> None:
        """Send one request; OSError when the connection is lost or does not take it."""
        self.is_waiting = True
        if self.socket.send(request) != len(request):
            raise OSError("the connection took only a part of the request")

    def receive(self) -> Answer | None:
        """Read what has come; the answer once it is whole. OSError when the server has closed."""
        data = self.socket.recv(RECEIVE_BYTES)
        if not data:
            raise ConnectionResetError("the server closed the connection")
        self._received = self._received + data if self._received else data
        answer = cut(self._received)
        if answer is not None:
            self._received = b""
            self.is_waiting = False
        return answer

    def close(self) -> None:
        """Close it."""
        self.socket.close()


def cut(received: bytes) -> Answer | None:
    """The answer that `received` is, None while it is not whole. ValueError for what is no HTTP/1.1."""
    end = received.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = received[:end].lower()
    if not head.startswith(b"http/1.1 "):
        raise ValueError(f"no HTTP/1.1 answer: {received[:40]!r}")
    status, body = int(head[9:12]), received[end + 4 :]
    at = head.find(b"\r\ncontent-length:")
    if at >= 0:
        length = int(head[at + 17 :].split(b"\r\n", 1)[0])
        return Answer(status, body) if len(body) >= length else None
    whole = unchunked(body)
    return None if whole is None else Answer(status, whole)


def unchunked(body: bytes) -> bytes | None:
    """A chunked body put together (RFC 9112, section 7.1); None while the last chunk is missing."""
    parts: list[bytes] = []
    while True:
        size_line, separator, rest = body.partition(b"\r\n")
        if not separator:
            return None
        size = int(size_line.split(b";")[0], 16)
        if len(rest) < size + 2:
            return None
        if size == 0:
            return b"".join(parts)
        parts.append(rest[:size])
        body = rest[size + 2 :]
