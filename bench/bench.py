"""What a measurement is given, what it gives back, and where that is kept."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from bench import place
from bench.load import Load
from bench.window import Window, measure

if TYPE_CHECKING:
    from pathlib import Path

    from bench.options import Options
    from bench.servers import Servers
    from bench.system import Running

DOCS = place.ROOT / "docs" / "bench"
QUICK = place.PLACE / "quick"
LEVELS = 5
Figures = dict[str, Any]
"""What one measurement found, as JSON."""


@dataclass(frozen=True)
class Bench:
    """One run."""

    options: Options
    servers: Servers

    def window(
        self,
        running: Running,
        exchange: str,
        callers: int,
        *,
        seconds: float | None = None,
        requests: int = 0,
        warm_seconds: float = 0.5,
    ) -> Window:
        """Measure callers of a system; its processes, and the servers', are watched meanwhile."""
        load = Load(
            running.port,
            exchange,
            str(place.ROWS),
            callers,
            seconds or self.options.seconds,
            warm_seconds,
            requests,
        )
        return measure(load, running.pids, self.servers.pids)


def results(options: Options) -> Path:
    """The directory of the results; a quick run does not replace those of a full one."""
    return QUICK if options.quick else DOCS


def keep(directory: Path, name: str, figures: Figures) -> None:
    """Write the results of one measurement, and what they were measured on."""
    directory.mkdir(parents=True, exist_ok=True)
    text = _text({"measured_on": machine(), **figures}, LEVELS)
    (directory / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def kept(directory: Path, name: str) -> Figures | None:
    """The results of the last such measurement; None when there was none."""
    file = directory / f"{name}.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else None


def machine() -> Figures:
    """The day, and what may explain a difference from another run."""
    return {
        "day": datetime.now(UTC).date().isoformat(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def _text(value: Any, levels: int, indent: str = "") -> str:
    """JSON with a line per member on the upper levels, so that two results can be compared."""
    if (
        not levels
        or not isinstance(value, dict)
        or not any(isinstance(one, dict | list) for one in value.values())
    ):
        return json.dumps(value)
    inner = indent + " "
    members = (f"{inner}{json.dumps(name)}: {_text(one, levels - 1, inner)}" for name, one in value.items())
    return "{\n" + ",\n".join(members) + f"\n{indent}}}"
