"""Tell the caller of a dead letter: the broker gave up on the task, so it ends as FAILURE.

RabbitMQ dead-letters without a word to anybody who waits. It puts a copy of each dead letter into
`ml.dead.record`; a thread in each worker's main process takes the copies, writes the end, acknowledges.
A task that has ended otherwise stays as it is. On Redis as broker the worker itself does both at once.
"""

import logging
import threading
from typing import Any

from kombu import Connection

from tandem.backplane import topology
from tandem.backplane.broker import CONNECT_SECONDS, TRANSPORT_ERRORS, tls_of
from tandem.backplane.dead_letter_queue import REASON
from tandem.backplane.errors import PoisonTask, StoreUnavailable
from tandem.backplane.message import HEADER
from tandem.backplane.settings import Settings
from tandem.backplane.store import synchronous_client
from tandem.backplane.task_attempts import Delivery, TaskAttempts
from worker.celery_config import amqp_transport
from worker.guarded_consumer import task_id_of

PAUSE_SECONDS = 1.0
"""Between two looks at the broker or the store while one of them is away."""

log = logging.getLogger(__name__)


class DeadLetterRecorder(threading.Thread):
    """Owns its connections; `stop` ends it within two seconds."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(name="dead-letter-recorder", daemon=True)
        self._settings = settings
        self._stopping = threading.Event()
        self._client = synchronous_client(settings.redis_url)
        self._attempts = TaskAttempts(self._client, settings)

    def run(self) -> None:
        """Record until stopped, through every loss of a connection."""
        while not self._stopping.is_set():
            try:
                self._record()
            except TRANSPORT_ERRORS as error:
                log.warning("dead letters are not recorded at present: %s", type(error).__name__)
                self._stopping.wait(PAUSE_SECONDS)
        self._client.close()

    def stop(self) -> None:
        """Ask the thread to end and wait for it."""
        self._stopping.set()
        self.join(PAUSE_SECONDS * 2)

    def _record(self) -> None:
        url = self._settings.broker_url
        options = {**amqp_transport(), "max_retries": 1}
        with Connection(
            url,
            ssl=tls_of(url),
            connect_timeout=CONNECT_SECONDS,
            heartbeat=0,
            transport_options=options,
        ) as connection:
            queue = topology.queue(topology.DEAD_RECORD, self._settings.queue_max_length)
            with connection.Consumer(
                queue,
                # Not `callbacks`: those are for bodies that can be decoded, and most dead letters' cannot.
                on_message=self._on_dead_letter,
                on_decode_error=lambda message, _: self._on_dead_letter(message),
                auto_declare=False,
                prefetch_count=16,
            ):
                while not self._stopping.is_set():
                    try:
                        connection.drain_events(timeout=PAUSE_SECONDS)
                    except TimeoutError:
                        continue

    def _on_dead_letter(self, message: Any) -> None:
        headers = message.headers or {}
        task_id = task_id_of(message)
        reason = str(headers.get(REASON, "unknown"))
        if task_id:
            ours = headers.get(HEADER)
            reply_to = str(ours.get("reply_to", "")) if isinstance(ours, dict) else ""
            error = PoisonTask(f"The broker gave up on the task ({reason}).")
            try:
                self._attempts.fail(Delivery(task_id, reply_to=reply_to), error)
            except StoreUnavailable:
                message.requeue()
                self._stopping.wait(PAUSE_SECONDS)
                return
            log.error("task %s is a dead letter: %s", task_id, reason)
        message.ack()
