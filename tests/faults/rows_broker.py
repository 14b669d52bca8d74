"""Faults of the broker: killed, frozen, out of memory or disk, full, its queue gone."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, cast

import redis

from tandem.backplane.topology import NORMAL
from tests.faults.processes import Setup
from tests.faults.rows import RABBITMQ, Row, Scene

if TYPE_CHECKING:
    from local.private_rabbitmq import PrivateRabbitmq
    from tests.faults.brokers import Server

FULL = 50
EXPIRES_SECONDS = 60


def broker_of(scene: Scene) -> Server:
    """The broker, which is ours."""
    assert scene.system.broker is not None
    return scene.system.broker


def ctl(scene: Scene, *arguments: str) -> str:
    """`rabbitmqctl`."""
    return cast("PrivateRabbitmq", broker_of(scene)).ctl(*arguments)


async def kill_broker(scene: Scene) -> None:
    """Kill -9 while it is published to and consumed from, and a start some seconds later."""
    await scene.under_way()
    async for _ in scene.times(3, pause=6):
        await scene.do(broker_of(scene).kill)
        await asyncio.sleep(scene.rng.uniform(1, 4))
        await scene.do(broker_of(scene).start)


async def freeze_broker(scene: Scene) -> None:
    """Half-dead: connections stay open, nothing is answered."""
    await scene.under_way()
    await scene.do(broker_of(scene).pause)
    try:
        await scene.lasting(60)
    finally:
        await scene.do(broker_of(scene).resume)


async def memory_alarm(scene: Scene) -> None:
    """The broker is short of memory and blocks whoever publishes."""
    await scene.under_way()
    await scene.do(ctl, scene, "set_vm_memory_high_watermark", "0.0000001")
    try:
        await scene.lasting(30)
    finally:
        await scene.do(ctl, scene, "set_vm_memory_high_watermark", "0.4")


async def disk_alarm(scene: Scene) -> None:
    """The broker is short of disk."""
    await scene.under_way()
    await scene.do(ctl, scene, "set_disk_free_limit", "999999GB")
    try:
        await scene.lasting(30)
    finally:
        await scene.do(ctl, scene, "set_disk_free_limit", "50MB")


async def fill_queue(scene: Scene) -> None:
    """A queue that holds few, and a worker that is slower than its callers."""
    if not scene.system.is_redis:
        policy = f'{{"max-length":{FULL}}}'
        await scene.do(ctl, scene, "set_policy", "full", "^ml$", policy, "--apply-to", "queues")
    try:
        await scene.under_way(0.9)
    finally:
        if not scene.system.is_redis:
            await scene.do(ctl, scene, "clear_policy", "full")


async def delete_queue(scene: Scene) -> None:
    """Somebody deletes the queue: what lies in it is gone, and ends by its expiry."""
    await scene.under_way()
    if scene.system.is_redis:
        with redis.Redis.from_url(scene.system.broker_url) as client:
            await scene.do(client.delete, NORMAL)
    else:
        await scene.do(ctl, scene, "delete_queue", NORMAL)
        scene.system.queues_declared_at = time.monotonic()
    await asyncio.sleep(2)
    scene.remark(f"every task was given {EXPIRES_SECONDS} s to expire")


ON_RABBITMQ = frozenset({RABBITMQ})
BROKER_ROWS = [
    Row(
        "broker-killed",
        "kill -9 of the broker while publishing and consuming, 3 times",
        kill_broker,
        60,
        needs_own_broker=True,
        needs_grown_queues=True,
    ),
    Row("broker-frozen", "SIGSTOP of the broker for 60 s", freeze_broker, 65, needs_own_broker=True),
    Row(
        "memory-alarm",
        "the broker's memory alarm for 30 s",
        memory_alarm,
        40,
        brokers=ON_RABBITMQ,
        needs_own_broker=True,
    ),
    Row(
        "disk-alarm",
        "the broker's disk alarm for 30 s",
        disk_alarm,
        40,
        brokers=ON_RABBITMQ,
        needs_own_broker=True,
    ),
    Row(
        "queue-full",
        f"a queue of {FULL} under more than the worker does",
        fill_queue,
        10,
        0.05,  # slower than the callers, and what is accepted once the queue is long again is done in time
        setup=Setup(edge={"QUEUE_MAX_LENGTH": str(FULL)}),
        needs_own_broker=True,
    ),
    Row(
        "queue-deleted",
        "`ml` deleted under load",
        delete_queue,
        15,
        needs_own_broker=True,
        members=(("expires_in", EXPIRES_SECONDS),),
    ),
]
