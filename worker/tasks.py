"""Single predictions as tasks, and where in the worker exceptions become what happens to a message.

- The work ended, well or not: its result is stored, the message is acknowledged.
- What stopped it can pass (the store is away, the model not loaded): it is tried again after a pause.
- Its attempts are spent: it is stored as a failure and dead-lettered.
- A defect of ours: stored as a failure, dead-lettered, logged with its trace.

The same for one message (every pool) and for a micro-batch (`worker/batching.py`). A chunk of a job ends in
other ways; its twin of this boundary is `step` in `worker/bulk.py`.
"""

import logging
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from celery import Task
from celery.backends.base import DisabledBackend
from celery.exceptions import Reject

from tandem.backplane.errors import BrokerUnavailable, QueueFull, StoreUnavailable, TandemError
from tandem.backplane.message import HEADER
from tandem.backplane.settings import settings
from tandem.backplane.task_attempts import TaskAttempts
from worker.app import app
from worker.predictor import Outcome
from worker.process import process
from worker.redis_dead_letters import dead_letter
from worker.retries import may_wait, retry_later
from worker.work import Work, work_of

log = logging.getLogger(__name__)


class Verdict(Enum):
    """What to do with a message."""

    ACKNOWLEDGE = "acknowledge"
    REQUEUE = "requeue"
    DEAD_LETTER = "dead-letter"


@dataclass(frozen=True, slots=True)
class Received:
    """One message of a task: what it asks for, and what its dead letter would need."""

    task: str
    task_id: str
    header: Any
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    queue: str
    work: Work


class Prediction(Task[..., None]):
    """A task whose lifecycle is Tandem's own: Celery stores nothing, whatever a message's header says."""

    Request = "worker.request:PredictionRequest"
    Strategy = "worker.batching:strategy"
    typing = False
    backend = DisabledBackend(app)
    argument_names: tuple[str, ...] = ()
    of_the_match_model = False

    def received(
        self, task_id: str, header: Any, args: Sequence[Any], kwargs: Mapping[str, Any], queue: str
    ) -> Received:
        """One message of this task."""
        fixed = {"model": settings().match_model} if self.of_the_match_model else {}
        work = work_of(task_id, header, self.argument_names, args, kwargs, **fixed)
        return Received(str(self.name), task_id, header, args, kwargs, queue, work)


@app.task(
    name="predict_match",
    base=Prediction,
    bind=True,
    argument_names=("match_id", "features", "alias"),
    of_the_match_model=True,
)
def predict_match(self: Prediction, *args: Any, **kwargs: Any) -> None:
    """`predict_match(match_id=None, features=None, alias=None)`: the match model's prediction."""
    _run(self, args, kwargs)


@app.task(
    name="predict", base=Prediction, bind=True, argument_names=("model", "features", "alias", "match_id")
)
def predict(self: Prediction, *args: Any, **kwargs: Any) -> None:
    """`predict(model, features, alias=None, match_id=None)`: any served model's prediction."""
    _run(self, args, kwargs)


def _run(task: Prediction, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    """Execute one message; returns to acknowledge, raises Reject for anything else."""
    queue = (task.request.delivery_info or {}).get("routing_key") or ""
    received = task.received(str(task.request.id), task.request.get(HEADER), args, kwargs, queue)
    [verdict] = execute([received])
    if verdict is not Verdict.ACKNOWLEDGE:
        raise Reject(verdict.value, requeue=verdict is Verdict.REQUEUE)


def execute(messages: Sequence[Received]) -> list[Verdict]:
    """Run messages together and say what to do with each, in order. Never raises."""
    try:
        outcomes = process().predictor.execute([message.work for message in messages])
    except StoreUnavailable:
        log.warning("The store is away: %d tasks are put off", len(messages))
        # A caller who waits will have gone by then, and was never given the id.
        lasting = [message for message in messages if may_wait(message.work)]
        refused = retry_later(settings(), lasting)
        return [put_off(message, refused) for message in messages]
    except Exception:
        if len(messages) > 1:
            return [verdict for message in messages for verdict in execute([message])]
        log.exception("A defect: task %s is dead-lettered", messages[0].task_id)
        return [defect(messages[0])]
    again = [m for m, outcome in zip(messages, outcomes, strict=True) if outcome is Outcome.RETRY]
    refused = retry_later(settings(), again)
    return [
        bury(message, "poison") if outcome is Outcome.POISON else put_off(message, refused)
        for message, outcome in zip(messages, outcomes, strict=True)
    ]


def put_off(message: Received, refused: Container[str]) -> Verdict:
    """Ended or sent again, a message is done with; one that could not be sent again goes back."""
    return Verdict.REQUEUE if message.task_id in refused else Verdict.ACKNOWLEDGE


def defect(message: Received) -> Verdict:
    """End the task as a failure of ours, and keep its message."""
    try:
        TaskAttempts(process().client, settings()).fail(message.work.delivery, TandemError())
    except StoreUnavailable:
        return Verdict.REQUEUE
    return bury(message, "defect")


def bury(message: Received, reason: str) -> Verdict:
    """Put the message among the dead where the broker does not do so itself."""
    if not settings().broker_is_redis:
        return Verdict.DEAD_LETTER
    try:
        dead_letter(
            settings(),
            headers={"id": message.task_id, "task": message.task, "lang": "py", HEADER: message.header},
            body=[message.args, message.kwargs, {}],
            queue=message.queue,
            reason=reason,
        )
    except (BrokerUnavailable, QueueFull):  # the dead are full: better again and again than lost
        return Verdict.REQUEUE
    return Verdict.ACKNOWLEDGE
