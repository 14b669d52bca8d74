"""Micro-batching: what is there is taken, as one call to the model, two to the store, one acknowledgement.

A Celery `Task.Strategy` for the pools that run in one process (`solo`, `threads`); under the others a task
stays one call. Nothing lingers: a batch is what has arrived while the last one ran, so a lone caller waits
for nobody and a crowd shares. A batch is of one model. Waiting callers go first. A message that was delivered
before runs alone, so that one that kills or hangs its process is found and takes no others along.
"""

import logging
import math
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from celery.utils.imports import symbol_by_name
from celery.worker.request import create_request_cls  # type: ignore[attr-defined]  # missing in its stubs
from celery.worker.state import task_accepted, task_ready, task_reserved
from celery.worker.strategy import default as one_by_one

from tandem.backplane.message import HEADER
from tandem.backplane.settings import settings
from tandem.backplane.topology import BULK_QUEUES, PREDICTION_QUEUES, SYNC
from worker.accepted_share import AcceptedShare
from worker.batch import Batch, Held
from worker.batch_cost import BatchCost
from worker.batch_pools import MAX_ROWS, SOLO, batches
from worker.bulk import ReceivedChunk, step
from worker.redis_transport import Channel
from worker.tasks import Prediction, Verdict, execute
from worker.waiting_messages import take_waiting
from worker.watchdog import Watchdog

log = logging.getLogger(__name__)

MODELS_KNOWN = 256


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
        self._rode_at: dict[tuple[Any, ...], float] = {}
        self._scheduled = False
        self._running = 0
        self._outstanding: set[tuple[int, Any]] = set()
        self._share = AcceptedShare()
        self._resting = False
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
        if held.is_callers:
            self._share.caller_came()
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
        take_waiting(self._consumer, self._has_room_for)
        batch = self._take()
        if not batch:
            return
        self._running += 1
        for held in batch:
            task_accepted(held.request)
            held.request.send_event("task-started")
        self._consumer.pool.apply_async(self._run, (batch,), accept_callback=_nothing, callback=_nothing)
        self._schedule_if_any()

    def _has_room_for(self, queue: str) -> bool:
        """Whether one more is to be taken: of callers' messages whatever else is in hand."""
        counted = [self._lanes[SYNC]] if queue == SYNC else self._lanes.values()
        return sum(map(len, counted)) < MAX_ROWS

    def _schedule_if_any(self) -> None:
        if any(self._lanes.values()):
            self._schedule()

    def _take(self) -> list[Held]:
        """The oldest message of the first lane that has any, and what can run together with it."""
        first = self._first()
        if first is None or not (first.is_callers or self._is_due(first) or not self._rests()):
            return []
        batch = Batch(first, self._cost_of(first.model), self._share)
        for name, lane in self._lanes.items():
            left = []
            while lane and batch.has_room_for(name):
                held = lane.popleft()
                if not batch.takes(held):
                    left.append(held)
            lane.extendleft(reversed(left))
        return batch.messages

    def _first(self) -> Held | None:
        """Whose turn it is: a waiting caller's, unless others have had none for long."""
        heads = [lane[0] for lane in self._lanes.values() if lane]
        if not heads or not heads[0].is_callers:
            return heads[0] if heads else None
        return next((held for held in heads[1:] if self._is_due(held)), heads[0])

    def _is_due(self, held: Held) -> bool:
        rode_at = -math.inf if held.alone else self._rode_at.get(held.model, -math.inf)
        return self._share.is_due(max(held.since, rode_at))

    def _rests(self) -> bool:
        """Whether work that nobody waits for is to wait a little; looks after it when that is over."""
        seconds = self._share.rest_seconds()
        if seconds and not self._resting:
            self._resting = True
            self._consumer.hub.timer.call_after(seconds, self._rested)
        return seconds > 0

    def _rested(self) -> None:
        self._resting = False
        self._schedule_if_any()

    def _cost_of(self, model: tuple[Any, ...]) -> BatchCost:
        if len(self._costs) > MODELS_KNOWN:
            self._costs.clear()  # anybody may name a model; what was learned is soon learned again
        return self._costs.setdefault(model, BatchCost())

    def _run(self, batch: list[Held]) -> None:
        """In the pool's thread: run, then settle in the consumer's."""
        started = time.perf_counter()
        verdicts = [Verdict.REQUEUE] * len(batch)  # where a defect of ours is on its way up
        try:
            with self._watchdog.watching([held.received.work.delivery for held in batch]):
                verdicts = _verdicts(batch)
        finally:
            seconds = time.perf_counter() - started
            if type(self._consumer.pool).__module__ == SOLO:
                self._settle(batch, verdicts, seconds)
            else:
                self._consumer.hub.call_soon(self._settle, batch, verdicts, seconds)

    def _settle(self, batch: list[Held], verdicts: list[Verdict], seconds: float) -> None:
        self._running -= 1
        self._note(batch, seconds)
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

    def _note(self, batch: list[Held], seconds: float) -> None:
        """Have the share know for whom the batch was."""
        waited = [held.waited for held in batch if held.is_callers]
        if not waited:
            self._share.ran_alone(seconds)
            return
        self._share.callers_waited(sum(waited))
        if len(waited) < len(batch):
            model = batch[0].model
            if len(self._rode_at) > MODELS_KNOWN:
                self._rode_at.clear()
            self._rode_at[model] = time.monotonic()
            self._share.rode((len(batch) - len(waited)) * self._cost_of(model).per_row())

    def _acknowledge(self, done: list[Held]) -> None:
        self._outstanding -= {held.tag for held in done}
        by_channel: dict[int, list[Held]] = {}
        for held in done:
            held.request.acknowledged = True
            by_channel.setdefault(held.tag[0], []).append(held)
        for channel, settled in by_channel.items():
            last = max(settled, key=lambda held: held.message.delivery_tag)
            older = (tag for its_channel, tag in self._outstanding if its_channel == channel)
            together = isinstance(last.message.delivery_tag, int) and all(
                tag > last.message.delivery_tag for tag in older
            )
            # Where nothing older of the channel is still in hand, one frame acknowledges all.
            for held in [last] if together else settled:
                held.message.ack_log_error(log, self._consumer.connection_errors, multiple=together)


def _verdicts(batch: list[Held]) -> list[Verdict]:
    """What to do with each message of a batch that has been run; none for a chunk with rows left."""
    first = batch[0].received
    if isinstance(first, ReceivedChunk):
        verdict = step(first)
        return [] if verdict is None else [verdict]
    return execute([held.received for held in batch])


def _nothing(*_: Any, **__: Any) -> None:
    """Celery's pools want somebody to tell."""
