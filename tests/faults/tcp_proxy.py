"""A TCP proxy that does to connections what networks do: passes, delays, swallows, resets, refuses."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit, urlunsplit

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any, Self

HOST = "127.0.0.1"
CHUNK = 65_536
CONTROL_SECONDS = 10
RESEND_SECONDS = 0.4
"""What a lost piece costs on top, on a connection with a round trip of twice 0.2 s."""
_RESET = struct.pack("ii", 1, 0)

Result = TypeVar("Result")


@dataclass(eq=False)
class _Link:
    """One connection through the proxy."""

    near: asyncio.StreamWriter
    far: asyncio.StreamWriter | None = None
    swallows: bool = False
    passed_on: int = 0
    """Bytes still to be passed to the client before the rest is swallowed."""
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def cut(self, data: bytes, *, to_client: bool) -> bytes:
        """What of `data` still comes through."""
        if not to_client:
            return data if self.passed_on else b""
        through = data[: self.passed_on]
        self.passed_on -= len(through)
        return through


class TcpProxy:
    """A proxy in a thread of its own, from a free port of the loopback interface to another port of it.

    What is swallowed was acknowledged to its sender, as by a load balancer that has lost its table: a
    connection that has had bytes swallowed never comes back, a new one works once `pass_on` was called.
    """

    def __init__(self, target_port: int) -> None:
        self.port = 0
        self.accepted = 0
        """Connections taken in so far."""
        self._target_port = target_port
        self._swallowing = self._resetting = False
        self._delay_seconds = self._lost_share = 0.0
        self._links: set[_Link] = set()
        self._server: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tcp-proxy", daemon=True)

    def of(self, url: str) -> str:
        """The same URL through this proxy."""
        parts = urlsplit(url)
        user, at, _ = parts.netloc.rpartition("@")
        return urlunsplit(parts._replace(netloc=f"{user}{at}{HOST}:{self.port}"))

    @property
    def open_connections(self) -> int:
        """Connections that both ends have open."""
        return len(self._links)

    def pass_on(self, delay_seconds: float = 0.0, lost_share: float = 0.0) -> None:
        """Pass everything on, each piece after `delay_seconds`; the state at the start.

        A share of the pieces comes later still, as what TCP sends again after a loss.
        """
        self._run(self._set(delay_seconds=delay_seconds, lost_share=lost_share))

    def swallow(self) -> None:
        """A black hole: of what comes from now on, on old and new connections, nothing arrives."""
        self._run(self._set(swallowing=True))

    def swallow_open_ones(self, after_bytes: int = 0) -> None:
        """A black hole for the connections there are, once `after_bytes` more have come to the client."""
        self._run(self._swallow_open_ones(after_bytes))

    def reset(self) -> None:
        """Reset (RST) every connection there is; new ones work."""
        self._run(self._reset_links())

    def reset_all(self) -> None:
        """Reset every connection, and each new one as it comes."""
        self._run(self._set(resetting=True))
        self._run(self._reset_links())

    def refuse(self) -> None:
        """Take no new connection: its client is told that nobody listens. Open ones are reset."""
        self._run(self._stop_listening())
        self._run(self._reset_links())

    def __enter__(self) -> Self:
        self._thread.start()
        self._run(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self._stop_listening())
        self._run(self._reset_links())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CONTROL_SECONDS)
        self._loop.close()

    def _run(self, step: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(step, self._loop).result(CONTROL_SECONDS)

    async def _set(
        self,
        *,
        swallowing: bool = False,
        resetting: bool = False,
        delay_seconds: float = 0.0,
        lost_share: float = 0.0,
    ) -> None:
        self._swallowing, self._resetting = swallowing, resetting
        self._delay_seconds, self._lost_share = delay_seconds, lost_share
        if self._server is None:
            await self._listen()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, HOST, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _swallow_open_ones(self, after_bytes: int) -> None:
        for link in self._links:
            link.swallows, link.passed_on = True, after_bytes

    async def _reset_links(self) -> None:
        tasks = [task for link in self._links for task in link.tasks]
        for link in list(self._links):
            _abort(link)
            for task in link.tasks:
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        link = _Link(writer, swallows=self._swallowing)
        self._links.add(link)
        task = asyncio.current_task()
        link.tasks += [task] if task is not None else []
        try:
            if self._resetting:
                _abort(link)
            else:
                await self._connect(link, reader)
        except (OSError, asyncio.CancelledError):
            _abort(link)  # nobody listens there, or the test has ended the connection
        finally:
            self._links.discard(link)

    async def _connect(self, link: _Link, reader: asyncio.StreamReader) -> None:
        back, link.far = await asyncio.open_connection(HOST, self._target_port)
        pumps = [
            asyncio.create_task(self._pump(link, reader, link.far, to_client=False)),
            asyncio.create_task(self._pump(link, back, link.near, to_client=True)),
        ]
        link.tasks += pumps
        # An end that closes ends both directions, as far as the swallowing connection lets it be seen.
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        if link.swallows:
            await asyncio.wait(pumps)
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)
        link.near.close()
        link.far.close()

    async def _pump(
        self, link: _Link, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, to_client: bool
    ) -> None:
        with suppress(OSError):
            while data := await source.read(CHUNK):
                link.swallows = link.swallows or self._swallowing
                if link.swallows:
                    data = link.cut(data, to_client=to_client)
                if self._delay_seconds:
                    lost = random.random() < self._lost_share  # noqa: S311
                    await asyncio.sleep(self._delay_seconds + (RESEND_SECONDS if lost else 0.0))
                sink.write(data)
                await sink.drain()


def _abort(link: _Link) -> None:
    for writer in (link.near, link.far):
        if writer is not None:
            end = writer.get_extra_info("socket")
            with suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            writer.transport.abort()
