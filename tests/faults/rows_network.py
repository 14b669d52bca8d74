"""Faults of the network, by a proxy between each side and each server."""

from __future__ import annotations

import asyncio
import time

from tests.faults.processes import Setup
from tests.faults.rows import Row, Scene

PARTITION_SECONDS = 60
STORM_SECONDS = 30
DELAY_SECONDS = 0.2
LOST_SHARE = 0.05
LAST_SECONDS = 20


async def black_hole(scene: Scene) -> None:
    """The connections that the functions hold are swallowed without a word, as after a long silence."""
    await scene.under_way()
    async for _ in scene.times(3, pause=8):
        scene.system.proxy("edge", "broker").swallow_open_ones()
        scene.system.proxy("edge", "store").swallow_open_ones()


async def reset_storm(scene: Scene) -> None:
    """Every connection of both sides is reset each second."""
    await scene.under_way()
    until = time.monotonic() + STORM_SECONDS / (3 if scene.brief else 1)
    while time.monotonic() < until:
        for proxy in scene.system.proxies():
            proxy.reset()
        await asyncio.sleep(1)


async def slow_network(scene: Scene) -> None:
    """Every piece takes 200 ms, and one in twenty is sent a second time, as after a loss."""
    await scene.under_way()
    for proxy in scene.system.proxies():
        proxy.pass_on(DELAY_SECONDS, LOST_SHARE)
    await scene.lasting(LAST_SECONDS)
    for proxy in scene.system.proxies():
        proxy.pass_on()


async def part_from_broker(scene: Scene) -> None:
    """Worker and broker live and do not hear of one another."""
    await _part(scene, "broker")


async def part_from_store(scene: Scene) -> None:
    """Worker and store live and do not hear of one another."""
    await _part(scene, "store")


async def _part(scene: Scene, server: str) -> None:
    await scene.under_way()
    proxy = scene.system.proxy("worker", server)
    proxy.swallow()
    await scene.lasting(PARTITION_SECONDS)
    proxy.pass_on()


BOTH = Setup(worker_proxied=True, edge_proxied=True)
WORKER = Setup(worker_proxied=True)
NETWORK_ROWS = [
    Row(
        "black-hole",
        "the functions' open connections are swallowed, 3 times",
        black_hole,
        24,
        setup=Setup(edge_proxied=True),
    ),
    Row(
        "reset-storm",
        f"every connection reset each second for {STORM_SECONDS} s",
        reset_storm,
        35,
        setup=BOTH,
    ),
    Row("slow-network", "200 ms and 5 % loss on every connection for 20 s", slow_network, 25, setup=BOTH),
    Row(
        "partition-broker",
        f"worker and broker parted for {PARTITION_SECONDS} s",
        part_from_broker,
        PARTITION_SECONDS + 5,
        setup=WORKER,
    ),
    Row(
        "partition-store",
        f"worker and store parted for {PARTITION_SECONDS} s",
        part_from_store,
        PARTITION_SECONDS + 5,
        setup=WORKER,
    ),
]
