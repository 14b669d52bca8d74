"""The task of a chunk of a job of many rows: slices of it, each written when it is done, until it is done.

What ends a chunk otherwise ends the job, for its caller asked for all of the rows: a chunk whose attempts are
spent (it is dead-lettered too), one that hangs, a result over its bound, a defect of ours. A row that makes
the model raise is no such thing; it fails alone. A bucket that is away is none either: the last chunk comes
back for it, as for a store. A job that was canceled, has expired or has failed is not
gone on with: each chunk looks before and after every slice. Whoever writes the last rows, or finds them all
written, assembles the result; a worker lost before that leaves a message that is delivered again.

Under `solo` and `threads` a chunk steps aside after each slice for whatever else waits (worker/batching.py);
elsewhere a process stays with it for half as long as a task may run, and then gives it back to go on later.
"""

import logging
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from celery.exceptions import Reject
from pydantic import ValidationError

from tandem.backplane.bulk_parts import TASK, BulkParts, Standing, max_result_bytes
from tandem.backplane.errors import (
    InvalidRequest,
    ModelNotFound,
    PayloadsUnavailable,
    PayloadTooLarge,
    PoisonTask,
    StoreUnavailable,
    TandemError,
)
from tandem.backplane.message import HEADER
from tandem.backplane.result_format import kept_json
from tandem.backplane.settings import settings
from tandem.backplane.task_attempts import Attempt, Delivery, TaskAttempts
from tandem.backplane.topology import BULK, BULK_QUEUES
from tandem.schemas.problem import field_error
from worker.app import app
from worker.bulk_chunk import ChunkAsk, ChunkRows
from worker.process import Process, process
from worker.retries import MAX_RETRIES, retry_later
from worker.slice_size import slice_size_of
from worker.store_patience import END_PATIENCE, START_PATIENCE, Result, patiently
from worker.tasks import Prediction, Received, Verdict, bury, defect, put_off
from worker.work import work_of

log = logging.getLogger(__name__)

RUN_SHARE = 0.5
"""How much of a task's time limit a chunk is run for before it is given back."""


@dataclass(frozen=True, slots=True)
class ReceivedChunk(Received):
    """One message of a chunk."""

    run: "ChunkRun"


class Bulk(Prediction):
    """The task of a chunk."""

    def received(
        self, task_id: str, header: Any, args: Sequence[Any], kwargs: Mapping[str, Any], queue: str
    ) -> ReceivedChunk:
        """See Prediction. Whichever queue it came from, as after a pause, its lane is that of chunks."""
        asked: dict[str, Any] = {"model": kwargs.get("model"), "alias": kwargs.get("alias"), "features": {}}
        work = work_of(task_id, header, tuple(asked), (), asked)
        lane = queue if queue in BULK_QUEUES else BULK
        run = ChunkRun(task_id, kwargs, work.checked)
        return ReceivedChunk(str(self.name), task_id, header, args, kwargs, lane, work, run)


@app.task(name=TASK, base=Bulk, bind=True)
def predict_rows(self: Bulk, *args: Any, **kwargs: Any) -> None:
    """One chunk, as `tandem.backplane.bulk` publishes it; of no use to a Celery client of one's own."""
    chunk = self.received(str(self.request.id), self.request.get(HEADER), args, kwargs, BULK)
    give_back_at = time.monotonic() + RUN_SHARE * settings().task_time_limit_seconds
    while (verdict := step(chunk)) is None:
        if time.monotonic() > give_back_at:
            verdict = Verdict.REQUEUE
            break
    if verdict is not Verdict.ACKNOWLEDGE:
        raise Reject(verdict.value, requeue=verdict is Verdict.REQUEUE)


def step(chunk: ReceivedChunk) -> Verdict | None:
    """Run one slice of the chunk and say what to do with its message; None: there is more. Never raises."""
    try:
        return _verdict(chunk, chunk.run.step(process()))
    except (StoreUnavailable, PayloadsUnavailable, ModelNotFound) as error:
        if isinstance(error, ModelNotFound) and chunk.work.retries >= MAX_RETRIES:
            return _failed(chunk, error)
        log.warning("A chunk of task %s is put off: %s", chunk.task_id, error)
        return put_off(chunk, retry_later(settings(), [chunk]))
    except InvalidRequest as error:
        return _failed(chunk, error)
    except Exception:
        log.exception("A defect: a chunk of task %s is dead-lettered", chunk.task_id)
        return defect(chunk)


def _verdict(chunk: ReceivedChunk, standing: Standing) -> Verdict | None:
    if standing.word == "run":
        return None
    if standing.word == "large":
        most = max_result_bytes(settings())
        return _failed(chunk, PayloadTooLarge(f"The result would have more than {most} bytes."))
    if standing.word == "spent":
        log.error("A chunk of task %s is poison at row %d", chunk.task_id, standing.at)
        lost = PoisonTask(
            f"The rows from {standing.at} on were given up: every worker that ran them was lost."
        )
        verdict = _failed(chunk, lost)
        return bury(chunk, "poison") if verdict is Verdict.ACKNOWLEDGE else verdict
    return Verdict.ACKNOWLEDGE


def _failed(chunk: ReceivedChunk, error: TandemError) -> Verdict:
    try:
        TaskAttempts(process().client, settings()).fail(chunk.work.delivery, error)
    except StoreUnavailable:
        return Verdict.REQUEUE
    return Verdict.ACKNOWLEDGE


class ChunkRun:
    """How far a chunk has been run by this delivery of it."""

    def __init__(self, task_id: str, asked: Mapping[str, Any], checked: str) -> None:
        self._task_id = task_id
        self._asked = asked
        self._checked = checked
        self._mark = uuid.uuid4().hex[:12]
        self._standing: Standing | None = None

    def step(self, held: Process) -> Standing:
        """Predict and write one slice more, and the job's result after the last; gives where it stands now.

        Raises StoreUnavailable, PayloadsUnavailable or ModelNotFound, and InvalidRequest where the message
        cannot be read.
        """
        parts = BulkParts(held.client, held.settings)
        if self._standing is None:
            self._read()
            self._standing = self._patiently(
                held, lambda: parts.begin(self._chunk, self._mark), START_PATIENCE
            )
        if self._standing.word == "run":
            self._standing = self._slice(held, parts, self._standing.at)
        if self._standing.word == "complete":
            self._finish(held, parts)
        return self._standing

    def _read(self) -> None:
        try:
            self._ask = ChunkAsk.model_validate(self._asked)
        except ValidationError as error:
            raise InvalidRequest(
                [field_error(fault["loc"], fault["msg"]) for fault in error.errors(include_input=False)]
            ) from None
        self._chunk = self._ask.of_task(self._task_id)
        self._rows = ChunkRows(self._ask)

    def _slice(self, held: Process, parts: BulkParts, at: int) -> Standing:
        model = held.registry.get(self._ask.model, self._ask.alias)
        version = model.card.model_version
        size = slice_size_of(self._ask.model, version)
        length = min(size.rows(), self._chunk.last - at)
        started = time.perf_counter()
        predictions, errors = self._rows.predict(model, at, at + length, checked=self._checked == version)
        size.learn(length, time.perf_counter() - started)
        return self._patiently(held, lambda: parts.add(self._chunk, at, length, predictions, errors))

    def _finish(self, held: Process, parts: BulkParts) -> None:
        """End the job with its result; where its parts are gone, somebody else has ended it.

        A result over the inline limit lies in the bucket before the job says so.
        """
        result = self._patiently(held, lambda: parts.assembled(self._chunk))
        if result is None:
            return
        if len(result) > held.settings.max_inline_result_bytes and held.settings.payload_bucket:
            result = kept_json(held.claim_check.keep_result(self._task_id, result))
        # Attempt 0 is whichever there is: a job has as many at a time as chunks, and its rows count once.
        attempt = Attempt(Delivery(self._task_id), 0)
        self._patiently(held, lambda: TaskAttempts(held.client, held.settings).finish([(attempt, result)]))
        self._patiently(held, lambda: parts.drop(self._chunk))

    @staticmethod
    def _patiently(held: Process, step: Callable[[], Result], share: float = END_PATIENCE) -> Result:
        return patiently(held.client, step, share * held.settings.task_time_limit_seconds)
