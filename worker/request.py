"""What the main process does for a task that a pool process did not bring to an end."""

import logging
from typing import Any

from billiard.exceptions import TimeLimitExceeded
from celery.worker.request import Request

from tandem.backplane.errors import StoreUnavailable, TaskTimedOut
from tandem.backplane.message import HEADER
from tandem.backplane.settings import settings
from tandem.backplane.store import synchronous_client
from tandem.backplane.task_attempts import TaskAttempts
from worker.work import delivery_of

log = logging.getLogger(__name__)


class PredictionRequest(Request):
    """A prediction's message.

    A task that hangs ends as a failure that says so, and is not run again. One that was cancelled because
    its connection was lost is delivered again: whatever is heard of it later must not acknowledge it, which
    on Redis would delete the message.
    """

    _already_cancelled: bool  # Celery's own; the stubs do not have it

    def on_failure(self, exc_info: Any, send_failed_event: bool = True, return_ok: bool = False) -> None:  # noqa: FBT001, FBT002  Celery's own order
        """Under prefork the pool says first here that a time limit has passed, then through `on_timeout`."""
        if self._already_cancelled:
            return
        error = exc_info.exception
        if isinstance(getattr(error, "exc", error), TimeLimitExceeded):
            self._tell_timeout()
        super().on_failure(exc_info, send_failed_event, return_ok)

    def on_timeout(self, soft: bool, timeout: float) -> None:  # noqa: FBT001  Celery's own order
        """In the pools of greenlets this is the only word of it."""
        if self._already_cancelled:
            return
        if not soft:
            self._tell_timeout()
        super().on_timeout(soft, timeout)

    def _tell_timeout(self) -> None:
        """Write the failure before Celery acknowledges; without a store the message goes back instead."""
        if self.acknowledged:
            return
        delivery = delivery_of(self.id, self.request_dict.get(HEADER))
        limit = settings().task_time_limit_seconds
        client: Any = synchronous_client(settings().redis_url)
        try:
            error = TaskTimedOut(f"The model gave no answer within {limit:g} s.")
            TaskAttempts(client, settings()).fail(delivery, error)
        except StoreUnavailable:
            log.warning("The end of task %s could not be stored: its message goes back", self.id)
            self.reject(requeue=True)
        finally:
            client.close()
