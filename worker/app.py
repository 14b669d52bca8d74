"""The worker's Celery app and its bootstrap: `celery -A worker.app worker`.

Everything is wired here and nowhere else. A missing or wrong setting ends the process with one line.
"""

import logging
from typing import Any

import celery.worker.state
from celery import Celery, signals

from tandem.backplane.compressed_messages import leave_compressed
from tandem.backplane.settings import Settings, settings, settings_at_start
from tandem.backplane.topology import PREDICTION_QUEUES
from worker import redis_transport
from worker.batch_pools import PREFETCH, batches
from worker.celery_config import GREEN_HEARTBEAT, GREEN_PREFETCH_MULTIPLIER, celery_config
from worker.dead_letter_recorder import DeadLetterRecorder
from worker.declared_queues import DeclaredQueues
from worker.heartbeat import Heartbeat
from worker.lane_consumers import BulkConsumer, CallersConsumer
from worker.load_reports import LoadReports
from worker.loading import LoadedModels
from worker.preloading import preload
from worker.process import close_process
from worker.redis_retries import RetryMover

_PER_TASK_LOGGERS = ("celery.worker.strategy", "celery.app.trace")
"""They write two lines a task, with its arguments."""
_POOL_NAMES = {"thread": "threads"}
"""Pools whose module is not named as `--pool` names them."""


def create_app(given: Settings) -> Celery:
    """The app, consuming the prediction queues in their order unless `-Q` says otherwise."""
    leave_compressed()
    redis_transport.install()
    made = Celery("tandem", include=["worker.tasks", "worker.bulk"])
    made.conf.update(celery_config(given))
    made.amqp.queues.select(list(PREDICTION_QUEUES))
    made.steps["worker"].add(LoadedModels)
    made.steps["consumer"].add(DeclaredQueues)
    made.steps["consumer"].update({CallersConsumer, BulkConsumer})
    return made


settings_at_start("worker")
app = create_app(settings())
_heartbeat: Heartbeat | None = None
_companion: DeadLetterRecorder | RetryMover | None = None


@signals.celeryd_init.connect
def check_start(**_: Any) -> None:
    """End with one line where the worker could not keep its promises."""
    if not settings().mlflow_tracking_uri:
        raise SystemExit("worker: missing setting: MLFLOW_TRACKING_URI (the registry to load models from)")
    if not getattr(app.backend, "connection_errors", ()):
        # Without `packaging` kombu's Redis transport does not import, and every retry is silently off.
        raise SystemExit("worker: celery and redis are installed, but not celery[redis]")
    LoadReports.create()


@signals.worker_init.connect
def set_options(sender: Any, **_: Any) -> None:
    """Let LOG_LEVEL decide, as in every other process, and fit the worker to its pool."""
    sender.loglevel = logging.getLevelName(settings().log_level)
    preload(sender.pool_cls)
    if batches(sender.pool_cls):
        sender.prefetch_multiplier = max(1, PREFETCH // (sender.concurrency or 1))
    if getattr(sender.pool_cls, "is_green", False):
        app.conf.broker_heartbeat = GREEN_HEARTBEAT
        sender.prefetch_multiplier = GREEN_PREFETCH_MULTIPLIER


@signals.after_setup_logger.connect
def quiet_per_task_loggers(**_: Any) -> None:
    """Keep arguments, and two lines a task, out of the log."""
    if settings().log_level != "DEBUG":
        for name in _PER_TASK_LOGGERS:
            logging.getLogger(name).setLevel(logging.WARNING)


@signals.worker_ready.connect
def start_heartbeat(sender: Any, **_: Any) -> None:
    """Say that the worker lives, now that it consumes."""
    global _heartbeat  # noqa: PLW0603  one per main process
    worker = sender.controller
    pool = worker.pool_cls.__module__.rpartition(".")[2]
    _heartbeat = Heartbeat(
        settings(),
        LoadReports.of_this_worker(),
        node=worker.hostname,
        pool=_POOL_NAMES.get(pool, pool),
        concurrency=worker.pool.num_processes,
        end_worker=_end_worker,
    )
    _heartbeat.start()


@signals.worker_ready.connect
def start_companion(**_: Any) -> None:
    """Do what this broker does not: tell the callers of dead letters, or keep what is to be tried again."""
    global _companion  # noqa: PLW0603  one per main process
    _companion = RetryMover(settings()) if settings().broker_is_redis else DeadLetterRecorder(settings())
    _companion.start()


def _end_worker() -> None:
    # What Celery's own signal handlers do; the main loop looks at it.
    celery.worker.state.should_stop = 1  # type: ignore[assignment]  # typed as None, meant as a status


@signals.worker_shutting_down.connect
def withdraw_soon(**_: Any) -> None:
    """Take no more work: say so before the running tasks have ended."""
    if _heartbeat is not None:
        _heartbeat.stop_soon()


@signals.worker_shutdown.connect
def close(**_: Any) -> None:
    """Withdraw the heartbeat and close what the main process holds."""
    if _heartbeat is not None:
        _heartbeat.stop()
    if _companion is not None:
        _companion.stop()
    close_process()
    LoadReports.of_this_worker().remove()
