"""A peer that is one program of its own environment."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from bench import place
from bench.system import System
from local.child import Child

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.servers import Servers


def served(
    name: str,
    title: str,
    exchange: str,
    command: Callable[[int], list[str]],
    *,
    peer: str,
    **variables: str,
) -> System:
    """A system whose `command(port)` is run with the peer's Python, in the directory of its files."""

    def children(port: int, _servers: Servers) -> list[Child]:
        # Some start programs of theirs by name, which must be found in their own environment.
        path = f"{place.environment(peer) / 'bin'}{os.pathsep}{os.environ['PATH']}"
        return [
            Child(
                name,
                [place.python(peer), *command(port)],
                log=place.LOGS / f"{name}.log",
                variables=place.variables(PATH=path, **variables),
                directory=place.HERE / "peers" / peer,
                stop_seconds=15,
            )
        ]

    return System(name, title, exchange, children, peer=peer)
