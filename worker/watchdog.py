"""A model that never answers, under a pool that cannot stop it: the process ends, the rest starts anew.

`solo` and `threads` have no time limits of their own. When a batch outlasts the limit, the process exits: the
broker delivers its messages again, each then alone. A task that hangs alone is the culprit; it ends as a
failure that says so before the process exits. Whatever keeps the worker running (a container's restart
policy, a service manager) starts it again.
"""

import logging
import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tandem.backplane.errors import StoreUnavailable, TaskTimedOut
from tandem.backplane.settings import Settings
from tandem.backplane.store import synchronous_client
from tandem.backplane.task_attempts import Delivery, TaskAttempts

EXIT_STATUS = 70
"""EX_SOFTWARE of sysexits.h."""
LOOK_SECONDS = 1.0

log = logging.getLogger(__name__)


class Watchdog:
    """Looks every second whether a batch outlasts the time limit. Its thread ends with the process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._watched: dict[int, tuple[float, Sequence[Delivery]]] = {}
        self._thread: threading.Thread | None = None

    @contextmanager
    def watching(self, batch: Sequence[Delivery]) -> Iterator[None]:
        """Watch a batch while it runs."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._look, name="watchdog", daemon=True)
            self._thread.start()
        key = id(batch)
        self._watched[key] = (time.monotonic() + self._settings.task_time_limit_seconds, batch)
        try:
            yield
        finally:
            del self._watched[key]

    def _look(self) -> None:
        while True:
            time.sleep(LOOK_SECONDS)
            now = time.monotonic()
            for give_up_at, batch in list(self._watched.values()):
                if now > give_up_at:
                    self._end(batch)

    def _end(self, batch: Sequence[Delivery]) -> None:
        limit = self._settings.task_time_limit_seconds
        log.critical("A batch of %d ran longer than %g s: the worker ends", len(batch), limit)
        if len(batch) == 1:
            client = synchronous_client(self._settings.redis_url)
            try:
                error = TaskTimedOut(f"The model gave no answer within {limit:g} s.")
                TaskAttempts(client, self._settings).fail(batch[0], error)
            except StoreUnavailable:
                log.critical("The end of task %s could not be stored", batch[0].task_id)
        os._exit(EXIT_STATUS)
