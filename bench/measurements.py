"""All measurements by name, in the order of running: each is a file with `measure` and `show`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench import (
    accepting,
    batch_sizes,
    built_start,
    bulk,
    cold_start,
    equality,
    flood,
    memory,
    queue_growth,
    scaling,
    throughput,
    waiting_callers,
)

if TYPE_CHECKING:
    from types import ModuleType

MEASUREMENTS: dict[str, ModuleType] = {
    "throughput": throughput,
    "batch_sizes": batch_sizes,
    "accepting": accepting,
    "flood": flood,
    "equality": equality,
    "waiting_callers": waiting_callers,
    "cold_start": cold_start,
    "built_start": built_start,
    "bulk": bulk,
    "scaling": scaling,
    "queue_growth": queue_growth,
    "memory": memory,
}
