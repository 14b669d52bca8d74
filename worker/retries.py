"""Trying again what can pass: a store that is away, a model that this worker has not loaded (yet).

The message is sent anew with its count of tries, to lie with the broker and not in a worker's memory until
its pause is over; then the one in hand is acknowledged. Pauses grow (`topology.RETRY_SECONDS`) and vary, so
that what failed together does not come back together. What cannot pass is never tried again.
"""

import json
import logging
import random
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tandem.backplane.broker import BrokerConnection
from tandem.backplane.errors import TandemError
from tandem.backplane.message import Message, delivery_header, task_headers
from tandem.backplane.settings import Settings
from tandem.backplane.topology import RETRY_SECONDS, retry_queue
from worker.redis_retries import put_off
from worker.work import Work

if TYPE_CHECKING:
    from worker.tasks import Received

MAX_RETRIES = 8
"""Of a task whose model is missing: some five minutes, which is what a worker gets to load in.
A store that is away is waited for until the task expires."""

log = logging.getLogger(__name__)


def may_wait(work: Work) -> bool:
    """Whether a caller would still be there after the next pause."""
    deadline_ms = work.delivery.deadline_ms
    return not deadline_ms or time.time() * 1000 + _level(work.retries) * 1000 < deadline_ms


def retry_later(settings: Settings, messages: Sequence["Received"]) -> set[str]:
    """Send each message again, to come back after its pause; the ids of those the broker did not take."""
    if not messages:
        return set()
    again = [_again(message) for message in messages]
    try:
        if settings.broker_is_redis:
            put_off(settings, again)
            return set()
        connection = BrokerConnection(settings.broker_url, settings.queue_max_length)
        try:
            refused = connection.publish(again)
        finally:
            connection.close()
    except TandemError as error:
        log.warning("%d tasks could not be put off: %s", len(messages), error)
        return {message.task_id for message in messages}
    return set(refused)


def _level(retries: int) -> int:
    return RETRY_SECONDS[min(retries, len(RETRY_SECONDS) - 1)]


def _again(message: "Received") -> Message:
    work = message.work
    seconds = _level(work.retries)
    header = message.header if work.known else delivery_header(submitted_ms=0)
    return Message(
        task_id=message.task_id,
        queue=retry_queue(seconds),
        body=json.dumps([message.args, message.kwargs, {}]).encode(),
        headers=task_headers(message.task, message.task_id, {**header, "retries": work.retries + 1}),
        durable=True,
        expiration_seconds=seconds * random.uniform(0.5, 1.0),  # noqa: S311  spreads work, keeps no secret
    )
