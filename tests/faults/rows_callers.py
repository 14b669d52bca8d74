"""What callers, and whoever reaches the broker, can do; and functions whose process is frozen."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import uuid

from kombu import Connection, Producer

from tandem.backplane.topology import NORMAL
from tests.faults.processes import MODEL
from tests.faults.rows import Row, Scene
from tests.integration.worker.test_hostile_messages import HOSTILE, Hostile

_key_numbers = itertools.count(2_000_000)
FROZEN_SECONDS = 10
SLOW_BYTES = 40
TOO_LARGE = 20_000_000
HOSTILE_BODIES = {
    "no JSON": b"{not json",
    "NaN": b'{"features": {"number": NaN}}',
    "twice the same": b'{"match_id": 1, "match_id": 2}',
    "deep": b"[" * 100_000,
    "a long integer": b'{"match_id": ' + b"9" * 5_000 + b"}",
    "half a surrogate": b'{"features": {"action": "\\ud800"}}',
    "bytes": bytes(range(256)) * 16,
    "20 MB": b'{"x": "' + b"x" * TOO_LARGE + b'"}',
    "nothing": b"",
}


async def repeat_requests(scene: Scene) -> None:
    """A client that repeats itself 50 times, and 100 at once: two keys, two executions."""
    await scene.under_way()
    for number, together in zip(_key_numbers, (1, 100), strict=False):
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        ids: set[str | None] = set()
        for _ in range(50 // together or 2):
            calls = [scene.caller.submit(number, kind="repeat", headers=headers) for _ in range(together)]
            ids |= set(await asyncio.gather(*calls))
        ids.discard(None)  # a 409 while the first is being accepted
        if len(ids) != 1:
            scene.violated(f"one key made {len(ids)} tasks")
        scene.ledger.run_once.add(number)


async def hostile_messages(scene: Scene) -> None:
    """Every message of the hostile kinds, straight onto the queue of the workers."""
    await scene.under_way()
    trace = scene.system.directory / "hostile"
    async for _ in scene.times(3):
        for make in HOSTILE.values():
            message = Hostile(str(uuid.uuid4()), trace)
            make(message)
            await scene.do(_put, scene.system.broker_url, message)
    await asyncio.sleep(3)
    if trace.exists():
        scene.violated("a hostile message was run")
    worker = scene.system.workers[0]
    if not worker.is_alive:
        scene.violated(f"the worker ended with status {worker.exit_status}")


def _put(url: str, message: Hostile) -> None:
    with Connection(url) as connection:
        Producer(connection.default_channel, auto_declare=False).publish(
            message.body,
            routing_key=NORMAL,
            headers=message.headers,
            content_type=message.content_type,
            content_encoding=message.content_encoding,
            correlation_id=message.task_id,
        )


async def hostile_http(scene: Scene) -> None:
    """Bodies that are no requests, bodies that never end, clients that send a byte a second or leave."""
    await scene.under_way()
    async with asyncio.TaskGroup() as group:
        for _ in range(20):
            group.create_task(_slow_client(scene))
        async for _ in scene.times(3):
            for what, body in HOSTILE_BODIES.items():
                path = f"/predict/async/?model={MODEL}"
                answer = await scene.caller.call("hostile", "POST", path, content=body)
                if answer is not None and not 400 <= answer.status_code < 500:
                    scene.violated(f"{what} was answered with {answer.status_code}")


async def _slow_client(scene: Scene) -> None:
    """Send a request slowly, and go away in the middle of it."""
    with contextlib.suppress(OSError):
        _, writer = await asyncio.open_connection("127.0.0.1", scene.system.port)
        writer.write(b"POST /predict/async/ HTTP/1.1\r\nhost: x\r\ncontent-length: 4000\r\n\r\n")
        for _ in range(8):
            writer.write(b" " * SLOW_BYTES)
            await writer.drain()
            await asyncio.sleep(1)
        writer.close()
        await writer.wait_closed()


async def freeze_functions(scene: Scene) -> None:
    """The process of the functions stands still with its connections open, as a frozen Lambda does."""
    await scene.under_way()
    gateway = scene.system.gateway
    assert gateway is not None
    async for _ in scene.times(3, pause=5):
        gateway.pause()
        try:
            await asyncio.sleep(FROZEN_SECONDS)
        finally:
            gateway.resume()


CALLER_ROWS = [
    Row(
        "repeated-requests",
        "one Idempotency-Key 50 times in a row, one 100 times at once",
        repeat_requests,
        5,
    ),
    Row(
        "hostile-messages", f"the {len(HOSTILE)} hostile messages on the queue, 3 times", hostile_messages, 20
    ),
    Row("hostile-http", "bad bodies, 20 MB, half requests, slow clients", hostile_http, 12),
    Row(
        "frozen-functions",
        f"SIGSTOP of the functions' process for {FROZEN_SECONDS} s, 3 times",
        freeze_functions,
        45,
        stood_still=FROZEN_SECONDS,
    ),
]
