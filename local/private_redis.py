"""A Redis of one's own on a free port of the loopback interface: append-only file on, nothing evicted."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from local import redis_program
from local.child import Child, StartError
from local.container import Container, container_engine
from local.ports import answers, free_port

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

IMAGE = "redis:8"
PROGRAMS = Path(__file__).resolve().parent.parent / ".tandem" / "bin"
START_SECONDS = 30
PULL_SECONDS = 300
DATABASES = 256
"""Far more than a deployment needs: the tests give each of theirs one of its own."""
SETTINGS = ["--appendonly", "yes", "--save", "", "--maxmemory-policy", "noeviction", "--daemonize", "no"]
SETTINGS += ["--databases", str(DATABASES)]
MISSING = (
    "no Redis to run: install redis-server 6.2 or newer (apt-get install redis-server, brew install redis), "
    "or start a container engine (docker or podman), or set REDIS_URL to a Redis of yours"
)


class PrivateRedis:
    """One Redis that keeps its data in `directory`; the port stays the same over `kill` and `start`."""

    def __init__(self, directory: Path, *, programs: Path = PROGRAMS, log: Path | None = None) -> None:
        """Find a server to run; StartError names what is missing. `programs`: where a fetched one is kept."""
        self._log = log or directory.absolute() / "redis.log"
        self.directory = directory.absolute()
        self.port = free_port()
        self._child = self._find(programs)

    @property
    def url(self) -> str:
        """Database 0 of the server."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def child(self) -> Child:
        """The process (or the container) that is the server."""
        return self._child

    def start(self) -> None:
        """Start it on the data that is there; StartError when it does not answer in time."""
        self.directory.mkdir(parents=True, exist_ok=True)
        seconds = START_SECONDS if not isinstance(self._child, Container) else PULL_SECONDS
        self._child.start()
        try:
            self._child.wait_until(self.is_ready, timeout_seconds=seconds)
        except BaseException:
            self._child.kill()
            raise

    def is_ready(self) -> bool:
        """Whether it serves; not while it still reads its data."""
        return answers(self.port, b"PING\r\n", b"+PONG")

    def stop(self) -> None:
        """Let it write what it holds and end."""
        self._child.stop()

    def kill(self) -> None:
        """End it at once (kill -9); what the append-only file has is there after the next `start`."""
        self._child.kill()

    def pause(self) -> None:
        """Let it answer nobody until `resume`."""
        self._child.pause()

    def resume(self) -> None:
        """Let it go on after `pause`."""
        self._child.resume()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _find(self, programs: Path) -> Child:
        program = redis_program.from_path() or redis_program.from_wheel(programs)
        if program is not None:
            place = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.directory)]
            return Child("redis", [str(program), *place, *SETTINGS], log=self._log)
        engine = container_engine()
        if engine is None:
            raise StartError(MISSING)
        name = f"tandem-redis-{hashlib.sha256(str(self.directory).encode()).hexdigest()[:10]}"
        serve = ["redis-server", "--protected-mode", "no", *SETTINGS]
        data = (self.directory / "data", "/data")
        return Container(
            name,
            engine=engine,
            image=IMAGE,
            ports={self.port: 6379},
            data=data,
            log=self._log,
            arguments=serve,
        )
