"""Faults of models and clocks: files missing or damaged in the registry, a clock that jumps."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress

from kombu import Connection, Producer

from tandem.backplane.message import Message, delivery_header, task_body, task_headers
from tandem.backplane.topology import NORMAL
from tests.faults.processes import Setup, artifacts
from tests.faults.rows import Row, Scene
from tests.faults.rows_worker import pool_processes

HOUR_SECONDS = 3600


async def missing_model(scene: Scene) -> None:
    """Callers ask for models that are not there, and messages for one whose files are not."""
    await scene.under_way()
    for name in ("none-such", "missing"):
        answer = await scene.caller.call(
            "missing", "POST", f"/predict/async/?model={name}", json={"features": {"number": 1}}
        )
        if answer is not None and answer.status_code != 404:
            scene.violated(f"the model {name} was answered with {answer.status_code}")
    for number in range(20):
        await scene.do(_ask_for_missing, scene.system.broker_url, f"missing-{number}")
    await asyncio.sleep(2)


def _ask_for_missing(url: str, task_id: str) -> None:
    kwargs = {"model": "missing"}
    message = Message(
        task_id=task_id,
        queue=NORMAL,
        body=task_body(kwargs, b'{"number": 1}'),
        headers=task_headers("predict", task_id, delivery_header(submitted_ms=0, accepted=True)),
        durable=True,
        expiration_seconds=None,
    )
    with Connection(url) as connection:
        Producer(connection.default_channel, auto_declare=False).publish(
            message.body,
            routing_key=NORMAL,
            headers=dict(message.headers),
            content_type="application/json",
            content_encoding="utf-8",
        )


async def damage_model(scene: Scene) -> None:
    """The model's files are damaged while processes are replaced; then whole again, and a new worker."""
    await scene.under_way()
    system = scene.system
    files = [file for file in artifacts(system.directory).rglob("MLmodel") if file.is_file()]
    kept = {file: file.read_bytes() for file in files}
    try:
        for file in files:
            file.write_bytes(b"\0" * 100)
        for process_id in await scene.do(pool_processes, system.workers[0]):
            with suppress(ProcessLookupError):
                os.kill(process_id, signal.SIGKILL)
        await scene.lasting(20)
    finally:
        for file, content in kept.items():
            file.write_bytes(content)
    worker = system.workers[0]
    scene.remark("the worker had ended" if not worker.is_alive else "the worker was still there")
    await scene.do(worker.stop)
    system.drop_worker(worker)
    await scene.do(system.start_worker_and_wait)


async def jump_clock(scene: Scene) -> None:
    """The clock of worker and functions goes an hour ahead, then an hour behind, then right again."""
    await scene.under_way()
    for offset in (HOUR_SECONDS, -HOUR_SECONDS, 0):
        scene.system.move_clock(offset)
        await scene.lasting(10)


MODEL_ROWS = [
    Row("model-missing", "models asked for that are not there, or whose files are not", missing_model, 5),
    Row("model-damaged", "the model's files damaged while the pool is killed, for 20 s", damage_model, 45),
    Row(
        "clock-jump",
        "the clock of worker and functions 1 h ahead, 1 h behind",
        jump_clock,
        30,
        setup=Setup(moved_clock=True),
    ),
]
