"""The brokers that the suite can run on: an installed RabbitMQ, one in a container, Redis, or a given one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Protocol

from kombu import Connection

from local.child import StartError
from local.container import container_engine
from local.private_rabbitmq import ContainerBroker, PrivateRabbitmq
from local.private_redis import PrivateRedis

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from local.child import Child

GIVEN = re.compile(r"(amqps?|rediss?)://.+")


class Server(Protocol):
    """A broker or a store that can be harmed."""

    port: int

    @property
    def url(self) -> str:
        """How clients reach it."""
        ...

    @property
    def child(self) -> Child:
        """Its process."""
        ...

    def start(self) -> None:
        """Start it on the data that is there."""

    def stop(self) -> None:
        """Let it end in order."""

    def kill(self) -> None:
        """Kill -9."""

    def pause(self) -> None:
        """Let it answer nobody until `resume`."""

    def resume(self) -> None:
        """Let it go on."""


class ContainedRabbitmq(PrivateRabbitmq):
    """The official image, also where another RabbitMQ is installed."""

    def _find(self) -> ContainerBroker:
        engine = container_engine()
        if engine is None:
            raise StartError("BROKER=rabbitmq4 needs a container engine that runs (docker or podman)")
        return ContainerBroker(engine, self.directory, self.port)


BROKERS: dict[str, Callable[[Path], Server]] = {
    "rabbitmq": PrivateRabbitmq,
    "rabbitmq4": ContainedRabbitmq,
    "redis": PrivateRedis,
}


def broker_of(name: str, directory: Path) -> Server | None:
    """The server called `name`, not started yet; None for the URL of a given one. Raises StartError."""
    if GIVEN.fullmatch(name):
        return None
    try:
        make = BROKERS[name]
    except KeyError:
        raise StartError(f"BROKER must be one of {', '.join(BROKERS)}, or a URL") from None
    return make(directory)


def version_of(url: str) -> str:
    """What answers at `url`, such as "RabbitMQ 3.10.8"."""
    with Connection(url, connect_timeout=5) as connection:
        connection.connect()
        if connection.transport.driver_type == "redis":
            channel: Any = connection.default_channel
            return f"Redis {channel.client.info('server')['redis_version']}"
        properties = connection.connection.server_properties
        return f"{properties['product']} {properties['version']}"
