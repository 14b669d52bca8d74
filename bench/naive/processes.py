"""How the naive queue design is started: the worker with two processes, one a core, and uvicorn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench import place
from bench.system import System
from local.child import Child

if TYPE_CHECKING:
    from bench.servers import Servers

DIRECTORY = place.HERE / "naive"


def processes(port: int, servers: Servers) -> list[Child]:
    """Worker and web process, on a database of their own in the same Redis and RabbitMQ's default queue."""
    backend = servers.redis_url.removesuffix("/0") + "/1"
    environ = place.variables(NAIVE_BROKER=servers.broker_url, NAIVE_BACKEND=backend)
    worker = ["-m", "celery", "-A", "worker", "worker", "--pool", "prefork", "--concurrency", "2"]
    web = ["-m", "uvicorn", "api:app", "--port", str(port), "--no-access-log"]
    return [
        Child(
            f"naive-{name}",
            [place.python("naive"), *arguments],
            log=place.LOGS / f"naive-{name}.log",
            variables=environ,
            directory=DIRECTORY,
        )
        for name, arguments in (("worker", worker), ("web", web))
    ]


NAIVE = System("naive", "naive queue design", "features", processes, peer="naive", needs_servers=True)
