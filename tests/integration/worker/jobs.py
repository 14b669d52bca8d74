"""Jobs of many rows as a test submits, reads and cancels them: what the functions do, without HTTP."""

from __future__ import annotations

import asyncio
import time
import uuid
from typing import TYPE_CHECKING, Any

import redis

from tandem.backplane.bulk import accept_job, read_job
from tandem.backplane.edge import wire
from tandem.backplane.settings import Settings
from tandem.backplane.topology import BULK
from tandem.schemas.batch import BatchRequest
from tandem.schemas.model_card import ModelCard

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tandem.schemas.task import TaskRecord

ANSWER_SECONDS = 90
PROBE = ModelCard(
    model_name="probe",
    alias="champion",
    model_version="1",
    model_run_id="r",
    loaded_at="2026-04-25T14:00:00Z",
    loaded_by="another",
    metrics={},
    inputs=[],
    outputs=[],
)
"""The card of a model that no worker of the test has loaded yet."""


class Jobs:
    """Jobs on one broker and store, accepted and read as the functions do it."""

    def __init__(self, broker_url: str, redis_url: str) -> None:
        self.settings = Settings(broker_url=broker_url, redis_url=redis_url)
        self.store = redis.Redis.from_url(redis_url)

    def submit(self, rows: Sequence[dict[str, Any]], model: str = "probe", expires_in: int = 600) -> str:
        """Accept the rows as one job and give its id."""
        return asyncio.run(self._submit(BatchRequest(rows=list(rows)), model, expires_in))

    async def _submit(self, asked: BatchRequest, model: str, expires_in: int) -> str:
        task_id = str(uuid.uuid4())
        edge = wire(self.settings)
        try:
            card = (await edge.catalog.read()).card(model, "champion")
            job = await read_job(edge, asked, card)
            await accept_job(edge, job, task_id, queue=BULK, expires_in_seconds=expires_in, owner="")
        finally:
            await edge.close()
        return task_id

    def read(self, task_id: str) -> TaskRecord:
        """The job as its caller reads it."""

        async def read() -> TaskRecord:
            edge = wire(self.settings)
            try:
                return await edge.tasks.read(task_id)
            finally:
                await edge.close()

        return asyncio.run(read())

    def cancel(self, task_id: str) -> None:
        """Cancel it."""

        async def cancel() -> None:
            edge = wire(self.settings)
            try:
                await edge.tasks.cancel(task_id)
            finally:
                await edge.close()

        asyncio.run(cancel())

    def ended(self, task_id: str) -> TaskRecord:
        """The job once it has ended."""
        wait_for(lambda: self.read(task_id).state.terminal, "the end of the job")
        return self.read(task_id)


def wait_for(truth: Callable[[], object], what: str) -> None:
    """Wait until it is so; fail after a bound."""
    deadline = time.monotonic() + ANSWER_SECONDS
    while not truth():
        assert time.monotonic() < deadline, f"never came: {what}"
        time.sleep(0.02)


def calls_of(path: Path) -> list[int]:
    """How many rows each call to the model had."""
    return [int(line) for line in path.read_text().split()] if path.exists() else []
