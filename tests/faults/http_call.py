"""One HTTP call on a connection of its own, as bytes: ten thousands of them must cost little themselves.

A kept connection may be closed by the server in the moment it is used again, which is nobody's fault.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping


LARGE = 1_000_000


class NoAnswer(Exception):
    """The connection was refused or lost, or it took too long."""


@dataclass(frozen=True)
class Answer:
    """Status, headers with names in lower case, and body."""

    status_code: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class Client:
    """Calls of one address; NoAnswer after `timeout_seconds`."""

    def __init__(self, url: str, *, timeout_seconds: float) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._timeout_seconds = timeout_seconds

    async def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        content: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Make one call, with `json` or else `content` as its body; raises NoAnswer."""
        body = content if json is None else _dumped(json)
        lines = {"Host": f"{self._host}:{self._port}", "Connection": "close", **(headers or {})}
        if body:
            lines |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await self._exchange(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body)
        except (OSError, TimeoutError, ValueError, EOFError) as error:
            raise NoAnswer(repr(error)) from error

    async def _exchange(self, request: bytes) -> Answer:
        reader, writer = await asyncio.open_connection(self._host, self._port)
        try:
            head, _, body = request.partition(b"\r\n\r\n")
            if len(body) > LARGE:
                # As curl does: who refuses it for its length closes before it has been read.
                writer.write(head + b"\r\nExpect: 100-continue\r\n\r\n")
                answer = await reader.readuntil(b"\r\n\r\n")
                if not answer.startswith(b"HTTP/1.1 100 "):
                    return _answer_of(answer + await reader.read(-1))
                request = body
            writer.write(request)
            await writer.drain()
            return _answer_of(await reader.read(-1))
        finally:
            writer.close()


def _dumped(value: Any) -> bytes:
    return json.dumps(value).encode()


def _answer_of(received: bytes) -> Answer:
    """The whole answer, which ends with its connection; ValueError for a part of one."""
    head, separator, body = received.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    if not separator:
        raise ValueError("the connection ended within an answer")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if len(body) != int(headers.get("content-length", len(body))):
        raise ValueError("the connection ended within an answer")
    return Answer(int(status.split(" ", 2)[1]), headers, body)
