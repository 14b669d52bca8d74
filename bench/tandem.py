"""Tandem as production runs it: RabbitMQ with quorum queues and confirms, Redis with its log, a worker.

Gateway and worker are started by the same lines as `make run` starts them. The pool is `solo`, which batches
and is what a container a core would run.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
from typing import TYPE_CHECKING

from bench import place
from bench.system import System
from local import serving
from local.run_options import RunOptions

if TYPE_CHECKING:
    from bench.servers import Servers
    from local.child import Child

POOL = "solo"


def processes(port: int, servers: Servers, *, workers: int = 1, **settings: str) -> list[Child]:
    """Gateway last, so that whoever waits for it waits for all."""
    options = dataclasses.replace(
        RunOptions.of({}),
        port=port,
        broker_url=servers.broker_url,
        redis_url=servers.redis_url,
        registry_uri=place.REGISTRY,
        pool=POOL,
    )
    counts = place.PLACE / "counts"
    shutil.rmtree(counts, ignore_errors=True)
    counts.mkdir(parents=True)
    environ = place.variables(
        BROKER_URL=servers.broker_url,
        REDIS_URL=servers.redis_url,
        MLFLOW_TRACKING_URI=place.REGISTRY,
        PROMETHEUS_MULTIPROC_DIR=str(counts),
        PYTHONPATH=os.environ.get("PYTHONPATH", ""),
        **{"SERVED_MODELS": "match-outcome", **settings},
    )
    serve = [
        serving.worker(options, environ, place.LOGS / f"worker-{number}", f"bench{number}")
        for number in range(workers)
    ]
    return [*serve, serving.gateway(options, environ, place.LOGS)]


def tandem(*, workers: int = 1, exchange: str = "tandem", **settings: str) -> System:
    """Tandem with that many workers; `settings` are its own, for a measurement that needs one changed."""
    return System(
        "tandem",
        "Tandem",
        exchange,
        lambda port, servers: processes(port, servers, workers=workers, **settings),
        needs_servers=True,
    )
