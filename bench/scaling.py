"""One, two and four workers on a model that takes 20 ms for a batch of four rows, and takes no processor."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import redis

from bench.statistics import median, paired, shown
from bench.tables import table
from bench.tandem import tandem
from bench.window import LoadFailed
from tandem.backplane.model_cards import WORKERS

if TYPE_CHECKING:
    from bench.bench import Bench, Figures

COUNTS = (1, 2, 4)
ROUNDS = 2
CALLERS = 512
"""More than all workers together take into batches, or they would wait for callers and not the model."""
READY_SECONDS = 60


def measure(bench: Bench) -> Figures:
    """Requests a second by workers, in turns."""
    found: dict[str, list[float]] = {str(count): [] for count in COUNTS}
    failures = 0
    for number in range(min(ROUNDS, bench.options.rounds)):
        for count in COUNTS if number % 2 == 0 else COUNTS[::-1]:
            with tandem(workers=count, exchange="tandem-slow", SERVED_MODELS="slow").running(
                bench.servers
            ) as running:
                _wait_for(count, bench.servers.redis_url)
                result = bench.window(running, "tandem-slow", CALLERS, warm_seconds=3).result
            found[str(count)].append(round(result.rate, 1))
            failures += result.failures
    return {"workers": found, "two_by_one": paired(found["2"], found["1"]), "failures": failures}


def _wait_for(count: int, redis_url: str) -> None:
    """Until all workers have said that they serve."""
    give_up_at = time.monotonic() + READY_SECONDS
    with redis.Redis.from_url(redis_url) as client:
        while client.hlen(WORKERS) < count:
            if time.monotonic() > give_up_at:
                raise LoadFailed(f"not all of {count} workers serve after {READY_SECONDS} s")
            time.sleep(0.1)


def show(figures: Figures) -> list[str]:
    """A line for each number of workers."""
    found = figures["workers"]
    rows = [
        [count, shown(median(rates)), str(paired(rates, found["1"])) if count != "1" else "—"]
        for count, rates in found.items()
    ]
    return table(["workers", "req/s", "times one worker"], rows)
