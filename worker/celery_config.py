"""Celery's settings for the worker: every promise of delivery that is a setting, in one place.

Names are those of Celery 5.7. `task_acks_on_failure=False` makes an exception that escapes a task mean
"dead-letter it": errors of requests and models are stored as results and never escape.
"""

import socket
from typing import Any

from tandem.backplane.broker import tls_of
from tandem.backplane.settings import Settings
from tandem.backplane.topology import NORMAL, queues

SOFT_SHUTDOWN_SECONDS = 8.0
"""What running tasks get to end in after SIGTERM (as REMAP_SIGTERM=SIGQUIT), under a container's usual 10."""
LOAD_SECONDS = 300.0
"""What a pool process gets to load its models in before it is replaced."""
VISIBILITY_MARGIN_SECONDS = 15
GREEN_HEARTBEAT = 0
"""With AMQP heartbeats Celery's loop for gevent and eventlet waits 0.1 s after every message; TCP's keepalive
finds a dead connection too."""
GREEN_PREFETCH_MULTIPLIER = 4
"""A green loop that has all it may hold asks Redis again only after 2 s, so it must never have all."""
RESTORE_INTERVAL_SECONDS = 5
HEARTBEAT_SHARE = 0.7
"""Of the time limit."""
HEARTBEAT_CHECKS = 12
"""How often in a heartbeat's interval it is looked whether the broker was heard (`amqp_transport.py`)."""
READ_SECONDS = 3
"""How long a read from RabbitMQ may block; a loop that waits for messages polls, and is not touched by it."""


def celery_config(settings: Settings) -> dict[str, Any]:
    """The configuration of the worker's app."""
    return {
        "broker_url": settings.broker_url,
        "broker_transport": None if settings.broker_is_redis else "worker.amqp_transport:Transport",
        "broker_use_ssl": tls_of(settings.broker_url),
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,  # for ever; 0 would make the worker exit at once
        # RabbitMQ gives a worker up that has sent nothing for two of these, at the latest for three. A solo
        # one sends nothing while it is at a task, so two must outlast the time limit; for three, what a
        # worker held that was cut off may be missing.
        "broker_heartbeat": max(30, round(HEARTBEAT_SHARE * settings.task_time_limit_seconds)),
        "broker_heartbeat_checkrate": HEARTBEAT_CHECKS,
        "broker_transport_options": _redis_transport(settings)
        if settings.broker_is_redis
        else amqp_transport(),
        "result_backend": settings.redis_url,
        "result_backend_always_retry": True,
        "result_backend_max_retries": 10,
        "result_expires": settings.result_ttl_seconds,
        "redis_socket_connect_timeout": 2.0,
        "redis_socket_timeout": 5.0,
        "redis_socket_keepalive": True,
        "redis_retry_on_timeout": True,
        "accept_content": ["json"],
        "result_accept_content": ["json"],
        "task_serializer": "json",
        "result_serializer": "json",
        # Celery's exclusive one is refused to a worker that comes back before the broker has noticed that it
        # was gone, which ends the worker.
        "control_queue_exclusive": False,
        "control_queue_durable": True,
        "task_queues": queues(settings.queue_max_length),
        "task_default_queue": NORMAL,
        "task_default_exchange": "",
        "task_default_routing_key": NORMAL,
        "task_create_missing_queues": False,
        "worker_detect_quorum_queues": True,
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "task_acks_on_failure": False,
        "task_acks_on_timeout": True,
        "task_ignore_result": True,
        "task_track_started": False,
        "task_time_limit": settings.task_time_limit_seconds,
        "worker_consumer": "worker.consumer:PredictionConsumer",
        "worker_prefetch_multiplier": 1,
        "worker_eta_task_limit": 10,
        "worker_cancel_long_running_tasks_on_connection_loss": True,
        "worker_soft_shutdown_timeout": SOFT_SHUTDOWN_SECONDS,
        "worker_proc_alive_timeout": LOAD_SECONDS,
    }


def amqp_transport() -> dict[str, Any]:
    """A connection that died without a word is noticed within half a minute, heartbeats or not.

    What closes one waits for the broker's answer, and so at most READ_SECONDS: Celery closes those it had
    before it consumes again, and would wait for ever for one that something on the way has swallowed.
    """
    named = {"TCP_USER_TIMEOUT": 30_000, "TCP_KEEPIDLE": 15, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}
    return {
        "read_timeout": READ_SECONDS,
        "socket_settings": {
            getattr(socket, name): value for name, value in named.items() if hasattr(socket, name)
        },
    }


def visibility_seconds(settings: Settings) -> int:
    """After how long a killed worker's messages come back on Redis; a running task's must not."""
    return round(settings.task_time_limit_seconds) + VISIBILITY_MARGIN_SECONDS


def _redis_transport(settings: Settings) -> dict[str, Any]:
    return {
        "visibility_timeout": visibility_seconds(settings),
        "unacked_restore_interval": RESTORE_INTERVAL_SECONDS,
        "unacked_restore_throttle": 1,
        # Queues in the order of serving: waiting callers first.
        "queue_order_strategy": "priority",
        "socket_connect_timeout": 2.0,
        "socket_timeout": 30.0,
        "socket_keepalive": True,
    }
