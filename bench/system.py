"""One system to measure: its processes, started fresh and stopped; ready when it answers a row."""

from __future__ import annotations

import contextlib
import functools
import http.client
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench import place
from bench.exchanges import EXCHANGES
from local.child import StartError
from local.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench.servers import Servers
    from local.child import Child

READY_SECONDS = 120
ASK_SECONDS = 5


@dataclass(frozen=True)
class Running:
    """A system that answers on `port`."""

    port: int
    children: list[Child]

    @property
    def pids(self) -> list[int]:
        """The processes that were started; what they started belongs to them."""
        return [child.pid for child in self.children]


@dataclass(frozen=True)
class System:
    """`children(port, servers)` makes its processes in the order of starting; `peer`: its environment."""

    name: str
    title: str
    exchange: str
    children: Callable[[int, Servers], list[Child]] = field(repr=False)
    peer: str = ""
    needs_servers: bool = False
    callers: tuple[int, ...] = (1, 16, 64, 256)

    @contextlib.contextmanager
    def running(self, servers: Servers) -> Iterator[Running]:
        """Start it, wait until it answers, stop it afterwards. StartError when it does not come up."""
        port = free_port()
        with contextlib.ExitStack() as stack:
            if self.needs_servers:
                stack.enter_context(servers.awake())
            children = self.children(port, servers)
            for child in children:
                stack.callback(child.stop)
                child.start()
            children[-1].wait_until(lambda: self._is_ready(port, children), timeout_seconds=READY_SECONDS)
            yield Running(port, children)

    def _is_ready(self, port: int, children: list[Child]) -> bool:
        for child in children:
            if not child.is_alive:
                raise StartError(f"{child.name} ended with status {child.exit_status}:\n{child.log_end()}")
        return self._answers(port)

    def _answers(self, port: int) -> bool:
        """Whether one row gets an answer."""
        exchange = EXCHANGES[self.exchange]
        body = json.dumps(exchange.body(_first_row()))
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ASK_SECONDS)
        try:
            connection.request("POST", exchange.path, body, {"Content-Type": "application/json"})
            return connection.getresponse().status == exchange.status
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


@functools.cache
def _first_row() -> dict[str, float]:
    row: dict[str, float] = json.loads(place.ROWS.read_text(encoding="utf-8"))["rows"][0]
    return row
