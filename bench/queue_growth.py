"""What 10,000 and 100,000 accepted tasks in the queue cost those who wait, and a kept result costs Redis.

The tasks are handed in over HTTP while no worker runs, so that they are there when the waiting callers come.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import redis

from bench.statistics import median, shown
from bench.tables import table
from bench.tandem import tandem
from bench.window import LoadFailed, settle
from tandem.backplane.model_cards import WORKERS
from tandem.backplane.topology import NORMAL

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.bench import Bench, Figures
    from bench.servers import Servers
    from bench.system import Running

DEPTHS = (0, 10_000, 100_000)
CALLERS, HANDING_IN, WINDOWS = 64, 64, 3
KEPT = 5_000
HAND_IN_SECONDS = 600
WAIT_SECONDS = 120


def measure(bench: Bench) -> Figures:
    """Requests a second at each depth; at an empty queue before and after, because the machine drifts."""
    points: list[dict[str, float]] = []
    with (
        redis.Redis.from_url(bench.servers.redis_url) as client,
        tandem().running(bench.servers) as running,
    ):
        kb = _kb_per_result(bench, running, client)
        for before, depth in zip((0, *DEPTHS), DEPTHS, strict=False):
            if depth:
                _without_worker(running, client, lambda: _hand_in(bench, running, depth - before))  # noqa: B023  called at once
            points.append({"queued": depth, "rate": _rate(bench, running)})
        _without_worker(running, client, lambda: bench.servers.rabbitmq.ctl("purge_queue", NORMAL))
        points.append({"queued": 0, "rate": _rate(bench, running)})
        client.flushall()
    empty = (points[0]["rate"] + points[-1]["rate"]) / 2
    return {
        "points": points[:-1],
        "empty_again": points[-1]["rate"],
        "queued_by_empty": round(points[-2]["rate"] / empty, 3),
        "kb_per_result": kb,
    }


def _rate(bench: Bench, running: Running) -> float:
    """The median of some windows."""
    return median([round(bench.window(running, "tandem", CALLERS).result.rate, 1) for _ in range(WINDOWS)])


def _kb_per_result(bench: Bench, running: Running, client: redis.Redis) -> float:
    """Growth of Redis by some thousand results, in kB each."""
    before = _used(client)
    _hand_in(bench, running, KEPT)
    _wait_until(lambda: _depth(bench.servers) == 0, "the accepted tasks have not been done")
    settle(1)
    return round((_used(client) - before) / KEPT / 1000, 3)


def _hand_in(bench: Bench, running: Running, tasks: int) -> None:
    result = bench.window(
        running, "tandem-async", HANDING_IN, seconds=HAND_IN_SECONDS, requests=tasks, warm_seconds=0
    ).result
    if result.requests != tasks:
        raise LoadFailed(f"only {result.requests} of {tasks} tasks were accepted: {result.failure}")


def _without_worker(running: Running, client: redis.Redis, do: Callable[[], object]) -> None:
    """Stop the worker, do it, and wait until the worker is there again."""
    worker = running.children[0]
    worker.stop()
    do()
    worker.start()
    _wait_until(lambda: client.hlen(WORKERS) > 0, "the worker has not come back")
    settle(1)


def _depth(servers: Servers) -> int:
    listed = servers.rabbitmq.ctl("--quiet", "list_queues", "--no-table-headers", "name", "messages")
    return sum(int(line.split()[1]) for line in listed.splitlines() if line.split()[:1] == [NORMAL])


def _used(client: redis.Redis) -> int:
    return int(client.info("memory")["used_memory"])


def _wait_until(is_so: Callable[[], bool], otherwise: str) -> None:
    give_up_at = time.monotonic() + WAIT_SECONDS
    while not is_so():
        if time.monotonic() > give_up_at:
            raise LoadFailed(f"{otherwise} after {WAIT_SECONDS} s")
        time.sleep(0.5)


def show(figures: Figures) -> list[str]:
    """A line for each depth."""
    rows = [[f"{point['queued']:,.0f}", shown(point["rate"])] for point in figures["points"]]
    again = (
        f"Empty again: {shown(figures['empty_again'])} req/s. A kept result: {figures['kb_per_result']} kB."
    )
    return [*table(["accepted tasks in the queue", "req/s of 64 waiting callers"], rows), "", again]
