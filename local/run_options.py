"""What `make run` is asked for, by environment variables; everything has a default."""

from __future__ import annotations

import glob
import os
import re
import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_PORT = 8000
DEFAULT_POOL = "solo" if sys.platform == "win32" else "prefork"
CONCURRENCY = 2
LAST_PORT = 65535


class RunError(RuntimeError):
    """`make run` cannot go on; the text says why."""


@dataclass(frozen=True)
class RunOptions:
    """One run: empty strings stand for "not given"."""

    port: int
    results: tuple[str, ...]
    fixtures: str
    as_of: str
    broker_url: str
    redis_url: str
    registry_uri: str
    pool: str

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> RunOptions:
        """Read the variables; RunError for the first one that is wrong."""
        port, as_of = environ.get("PORT") or str(DEFAULT_PORT), environ.get("AS_OF", "")
        if not re.fullmatch(r"[0-9]{1,5}", port) or not 0 < int(port) <= LAST_PORT:
            raise RunError("PORT must be a number from 1 to 65535")
        try:
            date.fromisoformat(as_of or "2000-01-01")
        except ValueError as error:
            raise RunError("AS_OF must be a day such as 2026-04-25") from error
        return cls(
            port=int(port),
            results=_patterns(environ.get("RESULTS", "")),
            fixtures=environ.get("FIXTURES", ""),
            as_of=as_of,
            broker_url=environ.get("BROKER_URL", ""),
            redis_url=environ.get("REDIS_URL", ""),
            registry_uri=environ.get("MLFLOW_TRACKING_URI", ""),
            pool=environ.get("WORKER_POOL") or DEFAULT_POOL,
        )

    @property
    def url(self) -> str:
        """Where the gateway answers."""
        return f"http://127.0.0.1:{self.port}"

    def files(self) -> list[Path]:
        """The results on this machine, in order."""
        return sorted({Path(name) for pattern in self.results for name in glob.glob(pattern, recursive=True)})  # noqa: PTH207  patterns may be absolute


def _patterns(text: str) -> tuple[str, ...]:
    """One path or pattern, which may hold spaces, or several between spaces."""
    if not text.strip():
        return ()
    return (text,) if glob.glob(text, recursive=True) else tuple(text.split())  # noqa: PTH207


def shown(url: str) -> str:
    """A URL without the password that may be in it."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{parts.username}:***@{host}"))


def variables(options: RunOptions, root: Path, redis_url: str, as_of: str) -> dict[str, str]:
    """The environment of the processes of this run."""
    counts = root / ".tandem" / "counts"
    defaults = {"MLFLOW_DISABLE_TELEMETRY": "true", "GIT_PYTHON_REFRESH": "quiet"}
    return (
        defaults
        | os.environ
        | {
            "BROKER_URL": options.broker_url or redis_url,
            "REDIS_URL": redis_url,
            "MLFLOW_TRACKING_URI": options.registry_uri or f"sqlite:///{root / '.tandem' / 'mlflow.db'}",
            "AS_OF": as_of,
            "PROMETHEUS_MULTIPROC_DIR": str(counts),
            "PYTHONUNBUFFERED": "1",
        }
    )
