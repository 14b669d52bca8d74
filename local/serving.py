"""The two programs that serve a prediction: how each is started for `make run`."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from local.child import Child
from local.run_options import CONCURRENCY, RunOptions
from tandem.backplane.topology import PREDICTION_QUEUES

if TYPE_CHECKING:
    from pathlib import Path

GRACE_SECONDS = 8
"""What requests get to be answered in once the gateway is to stop."""


def gateway(options: RunOptions, environ: dict[str, str], logs: Path) -> Child:
    """The functions behind one port; as many processes as WEB_CONCURRENCY says."""
    command = [sys.executable, "-m", "uvicorn", "local.gateway:app", "--port", str(options.port)]
    quiet = ["--no-access-log", "--no-server-header", "--timeout-graceful-shutdown", str(GRACE_SECONDS)]
    return Child("gateway", [*command, *quiet], log=logs / "gateway.log", variables=environ, stop_seconds=12)


def worker(options: RunOptions, environ: dict[str, str], logs: Path, name: str = "tandem") -> Child:
    """One Celery worker on every queue of predictions; several on one machine need a name each."""
    command = [sys.executable, "-m", "celery", "-A", "worker.app", "worker", "-n", f"{name}@%h"]
    pool = ["--pool", options.pool, *(() if options.pool == "solo" else ("--concurrency", str(CONCURRENCY)))]
    queues = ["-Q", ",".join(PREDICTION_QUEUES), "--loglevel", environ.get("LOG_LEVEL", "INFO")]
    # Celery's soft shutdown: what runs may end, what does not goes back to its queue.
    soft = environ | ({} if os.name == "nt" else {"REMAP_SIGTERM": "SIGQUIT"})
    return Child(
        "worker", [*command, *pool, *queues], log=logs / "worker.log", variables=soft, stop_seconds=20
    )
