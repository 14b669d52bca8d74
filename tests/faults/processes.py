"""The programs of the system under test: how gateway and worker are started, and the models registered."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from local.child import Child, StartError
from tandem.backplane.topology import PREDICTION_QUEUES

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parents[2]
MODEL = "counting"
CONCURRENCY = 2
REGISTER_SECONDS = 150
SYNC_SECONDS = 26
"""As behind API Gateway, so that a waiting caller too is answered within 30 s."""


@dataclass(frozen=True)
class Setup:
    """What a row wants otherwise: variables of either side, arguments of the worker, ways through proxies."""

    worker: Mapping[str, str] = field(default_factory=dict)
    edge: Mapping[str, str] = field(default_factory=dict)
    worker_arguments: tuple[str, ...] = ()
    pool: str = "solo"
    """`prefork` where the fault is one process of several; the other serves more from one machine."""
    worker_proxied: bool = False
    edge_proxied: bool = False
    moved_clock: bool = False
    """Whether the clock of worker and functions can be moved."""


def common_variables(directory: Path) -> dict[str, str]:
    """What worker and functions have in common."""
    return {
        **os.environ,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "GIT_PYTHON_REFRESH": "quiet",
        "OMP_NUM_THREADS": "1",
        "PYTHONUNBUFFERED": "1",
        "MLFLOW_TRACKING_URI": _registry(directory),
        "SERVED_MODELS": MODEL,
        "SYNC_TIMEOUT_SECONDS": str(SYNC_SECONDS),
    }


def gateway(port: int, logs: Path, variables: Mapping[str, str]) -> Child:
    """The functions behind one port, as `make run` starts them."""
    command = [sys.executable, "-m", "uvicorn", "local.gateway:app", "--port", str(port)]
    quiet = ["--no-access-log", "--no-server-header", "--timeout-graceful-shutdown", "8"]
    log = logs / "gateway.log"
    return Child("gateway", [*command, *quiet], log=log, variables=variables, directory=ROOT, stop_seconds=12)


def worker(node: str, setup: Setup, logs: Path, variables: Mapping[str, str]) -> Child:
    """One worker, as `make run` starts it but for its name."""
    command = [sys.executable, "-m", "celery", "-A", "worker.app", "worker", "-n", node]
    pool = ["--pool", os.environ.get("WORKER_POOL") or setup.pool]
    pool += [] if pool[-1] == "solo" else ["--concurrency", str(CONCURRENCY)]
    queues = ["-Q", ",".join(PREDICTION_QUEUES), "--loglevel", "INFO"]
    return Child(
        "worker",
        [*command, *pool, *queues, *setup.worker_arguments],
        log=logs / f"{node}.log",
        variables={**variables, "REMAP_SIGTERM": "SIGQUIT"},
        directory=ROOT,
        stop_seconds=20,
    )


def artifacts(directory: Path) -> Path:
    """Where the models' files are."""
    return directory / "artifacts"


def register_models(directory: Path) -> None:
    """Make the registry; StartError when that fails."""
    program = Path(__file__).with_name("register_models.py")
    log = directory / "register.log"
    with log.open("wb") as opened:
        done = subprocess.run(
            [sys.executable, str(program), _registry(directory), str(artifacts(directory))],
            env={**os.environ, "GIT_PYTHON_REFRESH": "quiet"},
            stdout=opened,
            stderr=subprocess.STDOUT,
            timeout=REGISTER_SECONDS,
            check=False,
        )
    if done.returncode:
        raise StartError(f"the models could not be registered; see {log}")


def _registry(directory: Path) -> str:
    return f"sqlite:///{directory}/mlflow.db"
