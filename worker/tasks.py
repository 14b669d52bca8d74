"""The two tasks, and the one place in the worker where exceptions become what happens to a message.

- The work ended, well or not: its result is stored, the message is acknowledged.
- The store is away: the message goes back to the broker.
- Its attempts are spent: it is stored as a failure and dead-lettered.
- A defect of ours: stored as a failure, dead-lettered, logged with its trace.
"""

import logging
from typing import Any

from celery import Task
from celery.backends.base import DisabledBackend
from celery.exceptions import Reject

from tandem.backplane.errors import BrokerUnavailable, StoreUnavailable, TandemError
from tandem.backplane.message import HEADER
from tandem.backplane.settings import settings
from tandem.backplane.task_attempts import TaskAttempts
from worker.app import app
from worker.predictor import Outcome
from worker.process import process
from worker.redis_dead_letters import dead_letter
from worker.work import Work, work_of

log = logging.getLogger(__name__)


class Prediction(Task[..., None]):
    """A task whose lifecycle is Tandem's own: Celery stores nothing, whatever a message's header says."""

    Request = "worker.request:PredictionRequest"
    typing = False
    backend = DisabledBackend(app)


@app.task(name="predict_match", base=Prediction, bind=True)
def predict_match(self: Prediction, *args: Any, **kwargs: Any) -> None:
    """`predict_match(match_id=None, features=None, alias=None)`: the match model's prediction."""
    names = ("match_id", "features", "alias")
    _run(self, work_of(_id(self), _header(self), names, args, kwargs, model=settings().match_model))


@app.task(name="predict", base=Prediction, bind=True)
def predict(self: Prediction, *args: Any, **kwargs: Any) -> None:
    """`predict(model, features, alias=None, match_id=None)`: any served model's prediction."""
    names = ("model", "features", "alias", "match_id")
    _run(self, work_of(_id(self), _header(self), names, args, kwargs))


def _id(task: Prediction) -> str:
    return str(task.request.id)


def _header(task: Prediction) -> Any:
    return task.request.get(HEADER)


def _run(task: Prediction, work: Work) -> None:
    """Execute one work; returns to acknowledge, raises Reject for anything else."""
    try:
        [outcome] = process().predictor.execute([work])
    except StoreUnavailable as error:
        log.warning("The store is away: task %s goes back to the broker", work.delivery.task_id)
        raise Reject(str(error), requeue=True) from error
    except Exception as error:
        log.exception("A defect: task %s is dead-lettered", work.delivery.task_id)
        _fail(work)
        _bury(task, "defect")
        raise Reject(f"defect: {type(error).__name__}", requeue=False) from error
    if outcome is Outcome.POISON:
        _bury(task, "poison")
        raise Reject("poison", requeue=False)


def _fail(work: Work) -> None:
    try:
        TaskAttempts(process().client, settings()).fail(work.delivery, TandemError())
    except StoreUnavailable as error:
        raise Reject(str(error), requeue=True) from error


def _bury(task: Prediction, reason: str) -> None:
    """Put the message among the dead where the broker does not do so itself."""
    if not settings().broker_is_redis:
        return
    request = task.request
    embed = {name: request.get(name) for name in ("callbacks", "errbacks", "chain", "chord")}
    try:
        dead_letter(
            settings(),
            headers={"id": request.id, "task": task.name, "lang": "py", HEADER: request.get(HEADER)},
            body=[request.args, request.kwargs, embed],
            queue=(request.delivery_info or {}).get("routing_key") or "",
            reason=reason,
        )
    except BrokerUnavailable as error:
        raise Reject(str(error), requeue=True) from error
