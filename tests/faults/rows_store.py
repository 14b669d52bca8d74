"""Faults of the store: killed, away, full."""

from __future__ import annotations

import asyncio

import redis

from tests.faults.rows import Row, Scene

DOWN_SECONDS = 60


async def kill_store(scene: Scene) -> None:
    """Kill -9 in the middle of work, and a start on its append-only file some seconds later."""
    await scene.under_way()
    async for _ in scene.times(3, pause=6):
        await scene.do(scene.system.store.kill)
        await asyncio.sleep(scene.rng.uniform(1, 4))
        await scene.do(scene.system.start_store)


async def store_away(scene: Scene) -> None:
    """Nobody listens there for a minute."""
    await scene.under_way()
    await scene.do(scene.system.store.kill)
    await scene.lasting(DOWN_SECONDS)
    await scene.do(scene.system.start_store)


async def freeze_store(scene: Scene) -> None:
    """Connections stay open, nothing is answered."""
    await scene.under_way()
    await scene.do(scene.system.store.pause)
    try:
        await scene.lasting(20)
    finally:
        await scene.do(scene.system.store.resume)


async def fill_store(scene: Scene) -> None:
    """It has no memory left and refuses what would need some; nothing is evicted."""
    await scene.under_way()
    with redis.Redis.from_url(scene.system.store.url) as client:
        await scene.do(client.config_set, "maxmemory", "1mb")
        try:
            await scene.lasting(20)
        finally:
            await scene.do(client.config_set, "maxmemory", "0")


STORE_ROWS = [
    Row("store-killed", "kill -9 of Redis, back after 1 to 4 s, 3 times", kill_store, 30),
    Row("store-down", f"Redis away for {DOWN_SECONDS} s", store_away, DOWN_SECONDS + 5),
    Row("store-frozen", "SIGSTOP of Redis for 20 s", freeze_store, 25),
    Row("store-full", "Redis at its memory limit for 20 s", fill_store, 25),
]
