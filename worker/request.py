"""What the main process does for a task that a pool process did not bring to an end."""

import logging
from typing import Any

from celery.worker.request import Request

from tandem.backplane.errors import StoreUnavailable, TaskTimedOut
from tandem.backplane.message import HEADER
from tandem.backplane.settings import settings
from tandem.backplane.store import synchronous_client
from tandem.backplane.task_attempts import TaskAttempts
from worker.work import delivery_of

log = logging.getLogger(__name__)


class PredictionRequest(Request):
    """A prediction's message; a hanging one ends as a failure that says so, and is not run again."""

    def on_timeout(self, soft: bool, timeout: float) -> None:  # noqa: FBT001  Celery's own order
        """Write the failure before Celery acknowledges; without a store the message goes back instead.

        A request that was cancelled because its connection was lost is delivered again: its limit, noticed
        late, must neither fail the task nor acknowledge the message.
        """
        if self._already_cancelled:
            return
        if not soft:
            self._fail(f"The model gave no answer within {timeout:g} s.")
        super().on_timeout(soft, timeout)

    def _fail(self, detail: str) -> None:
        delivery = delivery_of(self.id, self.request_dict.get(HEADER))
        client: Any = synchronous_client(settings().redis_url)
        try:
            TaskAttempts(client, settings()).fail(delivery, TaskTimedOut(detail))
        except StoreUnavailable:
            log.warning("The end of task %s could not be stored: its message goes back", self.id)
            self.reject(requeue=True)
        finally:
            client.close()
