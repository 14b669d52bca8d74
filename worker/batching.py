"""Micro-batching: what is there is taken, as one call to the model, two to the store, one acknowledgement.

A Celery `Task.Strategy` for the pools that run in one process (`solo`, `threads`); under the others a task
stays one call. Nothing lingers: a batch is what has arrived while the last one ran, so a lone caller waits
for nobody and a crowd shares. A batch is of one model. Waiting callers go first. A message that was delivered
before runs alone, so that one that kills or hangs its process is found and takes no others along.
"""

import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from celery.utils.imports import symbol_by_name
from celery.worker.request import create_request_cls  # type: ignore[attr-defined]  # missing in its stubs
from celery.worker.state import task_accepted, task_ready, task_reserved
from celery.worker.strategy import default as one_by_one

from tandem.backplane.errors import TandemError
from tandem.backplane.message import HEADER
from tandem.backplane.settings import settings
from tandem.backplane.topology import BULK_QUEUES, PREDICTION_QUEUES, SYNC
from worker.batch_cost import BatchCost
from worker.batch_pools import MAX_ROWS, SOLO, batches
from worker.bulk import ReceivedChunk, step
from worker.redis_transport import Channel
from worker.tasks import Prediction, Received, Verdict, execute
from worker.waiting_messages import take_waiting
from worker.watchdog import Watchdog

log = logging.getLogger(__name__)

MAX_BYTES = 8_000_000
MODELS_KNOWN = 256
ROWS_SECONDS = 0.5
"""What the rows of a batch may be expected to add to the call itself: whoever comes meanwhile waits."""
BESIDE_SECONDS = 0.01
"""The same of rows that nobody waits for, while callers who wait are coming."""
COMING_SECONDS = 1.0
"""How long after a waiting caller another one is expected."""


@dataclass(frozen=True, slots=True)
class Held:
    """One message in hand."""

    request: Any
    """Celery's own, so that `inspect`, events and a shutdown know of it."""
    message: Any
    received: Received

    @property
    def alone(self) -> bool:
        """Whether it must not share a batch."""
        redelivered = (self.message.delivery_info or {}).get("redelivered")
        return bool(redelivered) or isinstance(self.received, ReceivedChunk)

    @property
    def tag(self) -> tuple[int, Any]:
        """Channel and delivery tag: chunks come on a channel of their own, which counts for itself."""
        return id(self.message.channel), self.message.delivery_tag

    @property
    def model(self) -> tuple[Any, ...]:
        """What it must have in common with its batch: a fast model's callers do not wait for a slow one."""
        work = self.received.work
        if isinstance(work.ask, TandemError):
            return ()
        return (work.ask.model, work.ask.alias, work.model_version)


class _Batch:
    """One batch as it is put together: rows of one model, bounded in number, bytes and time.

    `callers_come`: rows that nobody waits for are held to what waiting callers would hardly notice.
    """

    def __init__(self, first: Held, cost: BatchCost, *, callers_come: bool) -> None:
        self.messages: list[Held] = []
        self._first = first
        self._model = first.model
        self._cost = cost
        self._bytes = 0
        self._earliest_ms = 0
        self._most = cost.rows_adding(ROWS_SECONDS, MAX_ROWS)
        self._beside = cost.rows_adding(BESIDE_SECONDS, MAX_ROWS) if callers_come else MAX_ROWS

    def takes(self, held: Held) -> bool:
        """Add the message if it fits; whether it did."""
        if held is not self._first and not self._fits(held):
            return False
        self.messages.append(held)
        self._bytes += len(held.message.body)
        self._beside -= held.received.queue != SYNC
        deadline_ms = held.received.work.delivery.deadline_ms
        if deadline_ms and (not self._earliest_ms or deadline_ms < self._earliest_ms):
            self._earliest_ms = deadline_ms
            left = deadline_ms / 1000 - time.time()
            self._most = min(self._most, self._cost.rows_within(left, MAX_ROWS))
        return True

    def _fits(self, held: Held) -> bool:
        room = len(self.messages) < self._most and self._bytes + len(held.message.body) <= MAX_BYTES
        room = room and (held.received.queue == SYNC or self._beside > 0)
        return room and not held.alone and not self._first.alone and held.model == self._model


def strategy(task: Prediction, app: Any, consumer: Any) -> Callable[..., None]:
    """Make Celery's handler of received messages for one task."""
    if not batches(type(consumer.pool)):
        handler: Callable[..., None] = one_by_one(task, app, consumer)
        return handler
    batcher = MicroBatcher.of(consumer)
    request_class = create_request_cls(
        symbol_by_name(task.Request),
        task,
        consumer.pool,
        consumer.hostname,
        consumer.event_dispatcher,
        app=app,
    )

    def receive(message: Any, _body: Any, ack: Any, reject: Any, _callbacks: Any) -> None:
        request = request_class(
            message,
            on_ack=ack,
            on_reject=reject,
            app=app,
            hostname=consumer.hostname,
            eventer=consumer.event_dispatcher,
            task=task,
            connection_errors=consumer.connection_errors,
            body=message.body,
            headers=message.headers,
            decoded=False,
            utc=True,
        )
        if request.id in consumer.controller.state.revoked and request.revoked():
            return
        task_reserved(request)
        request.send_event("task-received", name=request.name, args="-", kwargs="-", retries=0)
        args, kwargs, _ = message.payload  # as the door has read it
        queue = (message.delivery_info or {}).get("routing_key") or ""
        received = task.received(request.id, message.headers.get(HEADER), args, kwargs, queue)
        batcher.add(Held(request, message, received))

    return receive


class MicroBatcher:
    """The messages in hand of one connection to the broker, and the batches made of them."""

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer
        self._lanes: dict[str, deque[Held]] = {name: deque() for name in (*PREDICTION_QUEUES, *BULK_QUEUES)}
        self._costs: dict[tuple[Any, ...], BatchCost] = {}
        self._scheduled = False
        self._running = 0
        self._outstanding: set[tuple[int, Any]] = set()
        self._caller_came_at = -COMING_SECONDS
        self._watchdog = Watchdog(settings())
        self.connection = consumer.connection
        if type(consumer.pool).__module__ == SOLO:
            Channel.is_busy = staticmethod(lambda: self._scheduled)

    @classmethod
    def of(cls, consumer: Any) -> "MicroBatcher":
        """The batcher of the consumer's present connection; what an earlier one held is delivered again."""
        known: MicroBatcher | None = getattr(consumer, "micro_batcher", None)
        if known is None or known.connection is not consumer.connection:
            known = consumer.micro_batcher = cls(consumer)
        return known

    def add(self, held: Held) -> None:
        """Take a message in hand."""
        self._lanes.setdefault(held.received.queue, deque()).append(held)
        if held.received.queue == SYNC:
            self._caller_came_at = time.monotonic()
        self._outstanding.add(held.tag)
        self._schedule()

    def _schedule(self) -> None:
        if not self._scheduled and self._running < self._consumer.pool.limit:
            self._scheduled = True
            # Not `call_soon`: from a ready callback that waits for the next poll, up to a second.
            self._consumer.hub.timer.call_after(0, self._flush)

    def _flush(self) -> None:
        self._scheduled = False
        if self.connection is not self._consumer.connection:
            return
        take_waiting(self._consumer, lambda: self._in_hand() < MAX_ROWS)
        batch = self._take()
        if not batch:
            return
        self._running += 1
        for held in batch:
            task_accepted(held.request)
            held.request.send_event("task-started")
        self._consumer.pool.apply_async(self._run, (batch,), accept_callback=_nothing, callback=_nothing)
        self._schedule_if_any()

    def _in_hand(self) -> int:
        return sum(map(len, self._lanes.values()))

    def _schedule_if_any(self) -> None:
        if self._in_hand():
            self._schedule()

    def _take(self) -> list[Held]:
        """The oldest message of the first lane that has any, and what can run together with it."""
        first = next((lane[0] for lane in self._lanes.values() if lane), None)
        if first is None:
            return []
        callers_come = time.monotonic() - self._caller_came_at < COMING_SECONDS
        batch = _Batch(first, self._cost_of(first.model), callers_come=callers_come)
        for name, lane in self._lanes.items():
            self._lanes[name] = deque(held for held in lane if not batch.takes(held))
        return batch.messages

    def _cost_of(self, model: tuple[Any, ...]) -> BatchCost:
        if len(self._costs) > MODELS_KNOWN:
            self._costs.clear()  # anybody may name a model; what was learned is soon learned again
        return self._costs.setdefault(model, BatchCost())

    def _run(self, batch: list[Held]) -> None:
        """In the pool's thread: run, then settle in the consumer's."""
        started = time.perf_counter()
        with self._watchdog.watching([held.received.work.delivery for held in batch]):
            first = batch[0].received
            if isinstance(first, ReceivedChunk):
                verdict = step(first)
                verdicts = [] if verdict is None else [verdict]
            else:
                verdicts = execute([held.received for held in batch])
        seconds = time.perf_counter() - started
        if type(self._consumer.pool).__module__ == SOLO:
            self._settle(batch, verdicts, seconds)
        else:
            self._consumer.hub.call_soon(self._settle, batch, verdicts, seconds)

    def _settle(self, batch: list[Held], verdicts: list[Verdict], seconds: float) -> None:
        self._running -= 1
        if not verdicts:  # a chunk with rows left: everything else goes first
            self._lanes[batch[0].received.queue].appendleft(batch[0])
            self._schedule()
            return
        if not isinstance(batch[0].received, ReceivedChunk):
            self._cost_of(batch[0].model).learn(len(batch), seconds)
        done = [held for held, verdict in zip(batch, verdicts, strict=True) if verdict is Verdict.ACKNOWLEDGE]
        self._acknowledge(done)
        for held, verdict in zip(batch, verdicts, strict=True):
            if verdict is not Verdict.ACKNOWLEDGE:
                self._outstanding.discard(held.tag)
                held.request.reject(requeue=verdict is Verdict.REQUEUE)
            held.request.send_event("task-succeeded", result="-", runtime=seconds)
            task_ready(held.request, successful=verdict is Verdict.ACKNOWLEDGE)
        self._schedule_if_any()

    def _acknowledge(self, done: list[Held]) -> None:
        if not done:
            return
        self._outstanding -= {held.tag for held in done}
        last = max(done, key=lambda held: held.message.delivery_tag)
        channel, tag = last.tag
        together = isinstance(tag, int) and all(
            other > tag for its_channel, other in self._outstanding if its_channel == channel
        )
        for held in done:
            held.request.acknowledged = True
            if not together:
                held.message.ack_log_error(log, self._consumer.connection_errors)
        if together:
            # Nothing older is still in hand, so one frame acknowledges all.
            last.message.ack_log_error(log, self._consumer.connection_errors, multiple=True)


def _nothing(*_: Any, **__: Any) -> None:
    """Celery's pools want somebody to tell."""
