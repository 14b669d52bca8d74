"""A RabbitMQ of one's own: free ports, its own node name, data, cookie and port mapper.

Run from the scripts of an installed one, else in a container, else installed by apt where that is allowed.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from local import rabbitmq_program
from local.child import StartError
from local.container import Container, container_engine
from local.ports import LOOPBACK, answers, free_port
from local.rabbitmq_node import CTL_SECONDS, InstalledBroker

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from local.child import Child

IMAGE = "rabbitmq:4-management"
START_SECONDS = 90
PULL_SECONDS = 600
AMQP_HEADER = b"AMQP\x00\x00\x09\x01"
METHOD_FRAME = b"\x01\x00\x00"
MISSING = (
    "no RabbitMQ to run: install rabbitmq-server (apt-get install rabbitmq-server, brew install rabbitmq), "
    "or start a container engine (docker or podman)"
)


class PrivateRabbitmq:
    """One RabbitMQ that keeps its data in `directory`; the port stays the same over `kill` and `start`."""

    def __init__(self, directory: Path) -> None:
        """Find a server to run, installing it where that is allowed; StartError names what is missing."""
        self.directory = directory.absolute()
        self.port = free_port()
        self._broker = self._find()

    @property
    def url(self) -> str:
        """The default virtual host, as the user guest."""
        return f"amqp://guest:guest@{LOOPBACK}:{self.port}//"

    @property
    def child(self) -> Child:
        """The process (or the container) that is the server."""
        return self._broker.child

    def start(self) -> None:
        """Start it on the data that is there; StartError when it does not speak AMQP in time."""
        self.directory.mkdir(parents=True, exist_ok=True)
        seconds = START_SECONDS if not isinstance(self.child, Container) else PULL_SECONDS
        try:
            self._broker.start()
            self.child.wait_until(self.is_ready, timeout_seconds=seconds)
        except BaseException:
            self.stop()
            raise

    def is_ready(self) -> bool:
        """Whether its listener speaks AMQP 0-9-1."""
        return answers(self.port, AMQP_HEADER, METHOD_FRAME)

    def ctl(self, *args: str) -> str:
        """What `rabbitmqctl ARGS` prints; CalledProcessError when it fails."""
        return self._broker.ctl(*args)

    def stop(self) -> None:
        """Let it end in order, within a bound, and its port mapper after it."""
        self._broker.stop()

    def kill(self) -> None:
        """End the server at once (kill -9); durable queues are there after the next `start`."""
        self.child.kill()

    def pause(self) -> None:
        """Let it answer nobody until `resume`, its connections staying open."""
        self.child.pause()

    def resume(self) -> None:
        """Let it go on after `pause`."""
        self.child.resume()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _find(self) -> InstalledBroker | ContainerBroker:
        scripts = rabbitmq_program.scripts()
        engine = container_engine() if scripts is None else None
        if engine is not None:
            return ContainerBroker(engine, self.directory, self.port)
        scripts = scripts or rabbitmq_program.install()
        if scripts is None:
            raise StartError(MISSING)
        return InstalledBroker(scripts, self.directory, self.port)


class ContainerBroker:
    """The official image."""

    def __init__(self, engine: str, directory: Path, port: int) -> None:
        name = f"tandem-rabbitmq-{secrets.token_hex(4)}"
        data = (directory / "data", "/var/lib/rabbitmq")
        log = directory / "rabbitmq.log"
        self._container = Container(name, engine=engine, image=IMAGE, ports={port: 5672}, data=data, log=log)
        self.child: Child = self._container

    def start(self) -> None:
        """Run the container."""
        self._container.start()

    def stop(self) -> None:
        """Stop and remove the container."""
        self._container.stop()

    def ctl(self, *args: str) -> str:
        """See `PrivateRabbitmq.ctl`."""
        return self._container.execute("rabbitmqctl", *args, timeout_seconds=CTL_SECONDS)
