"""Loading before work: no process takes a message before its models are in memory.

Under prefork each pool process loads its own and the main process waits for the first of them before it
connects to the broker; in the other pools the main process is the one that predicts. A worker that cannot
load anything ends with status 1 and a line that says why.
"""

import logging
import os
import time
from typing import Any

from celery import bootsteps, signals
from celery.concurrency.prefork import TaskPool as PreforkPool
from celery.exceptions import WorkerShutdown
from celery.worker import state as worker_state

from tandem.backplane.errors import TandemError
from tandem.backplane.settings import settings
from worker.celery_config import LOAD_SECONDS
from worker.load_reports import LoadReports, loaded
from worker.process import open_process

log = logging.getLogger(__name__)

POLL_SECONDS = 0.05
PAUSE_SECONDS = 5.0
"""A pool process that failed to load lives this long, so that its replacements do not come in a rush."""


class LoadedModels(bootsteps.StartStopStep):
    """Worker step between the pool and the consumer: ends once models are loaded, or ends the worker."""

    requires = ("celery.worker.components:Pool",)

    def start(self, worker: Any) -> None:
        """Load here, or wait for the pool's processes; raises WorkerShutdown(1) where nothing is loaded."""
        if not issubclass(worker.pool_cls, PreforkPool):
            if not load(worker.hostname):
                raise WorkerShutdown(1)
            return
        reports = LoadReports.of_this_worker()
        give_up_at = time.monotonic() + LOAD_SECONDS
        while not loaded(found := reports.read()):
            worker_state.maybe_shutdown()
            if found or time.monotonic() > give_up_at:
                log.critical("No pool process could load a model: the worker ends")
                raise WorkerShutdown(1)
            time.sleep(POLL_SECONDS)


@signals.worker_process_init.connect
def load_in_pool_process(sender: str, **_: Any) -> None:
    """Load in a prefork process; the solo pool sends this from the main process, which loads by itself."""
    if LoadReports.of_this_worker().main_pid == os.getpid():
        return
    if not load(sender):
        time.sleep(PAUSE_SECONDS)
        raise SystemExit(1)


def load(node: str) -> bool:
    """Load this process's models and report it; whether there is any to serve with."""
    reports = LoadReports.of_this_worker()
    try:
        registry = open_process(settings(), node).registry
    except TandemError as error:
        log.critical("The models cannot be loaded: %s", _why(error))
        reports.write([], {"": _why(error)})
        return False
    if not registry.cards:
        names = ", ".join(registry.failures) or "none is registered at the alias"
        log.critical("No model is loaded: %s", names)
    reports.write(registry.cards, registry.failures)
    return bool(registry.cards)


def _why(error: TandemError) -> str:
    return (
        f"{error.detail} {type(error.__cause__).__name__}: {error.__cause__}"
        if error.__cause__
        else error.detail
    )
