"""The door of the worker: a message that is not a task of ours never gets past it, and never gets lost.

Celery acknowledges and drops what it cannot decode, runs callbacks that a message brings along, holds an
`eta` in memory, and dies of a body that is not a list. Here every message is looked at first; one that is
not plainly a task is dead-lettered. Source of the list: Celery 5.7 worker/consumer/consumer.py and
worker/strategy.py, and what was tried against them (docs/03-delivery.md).
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from celery.worker.consumer import Consumer

from tandem.backplane.errors import InvalidJson, PoisonTask, TandemError
from tandem.backplane.settings import settings
from tandem.backplane.store import synchronous_client
from tandem.backplane.strict_json import parse_strict
from tandem.backplane.task_attempts import Delivery, TaskAttempts
from worker.redis_dead_letters import dead_letter

log = logging.getLogger(__name__)

MAX_BODY_BYTES = 6_000_000
"""A little over what the functions take, for what the message adds."""
MAX_ID_LENGTH = 128
PARTS_OF_A_BODY = 3


def fault_of(message: Any, known_tasks: Mapping[str, Any]) -> str | None:
    """Say what is wrong with a message, in a few words; None where it is plainly a task."""
    headers = message.headers
    if not isinstance(headers, dict):
        return "no-headers"
    task = headers.get("task")
    if not isinstance(task, str) or task not in known_tasks or task.startswith("celery."):
        return "unknown-task"
    if not _is_id(headers.get("id")):
        return "bad-id"
    if headers.get("eta") or headers.get("expires"):
        return "delayed"
    if (
        headers.get("compression")
        or message.content_type != "application/json"
        or str(message.content_encoding).lower() != "utf-8"
    ):
        return "content-type"
    return _fault_of_body(message)


def task_id_of(message: Any) -> str:
    """The id of the task that a message, however broken, is about; empty where it names none."""
    headers = message.headers if isinstance(message.headers, dict) else {}
    properties = message.properties if isinstance(message.properties, dict) else {}
    named = headers.get("id") or properties.get("correlation_id")
    return str(named) if _is_id(named) else ""


def _is_id(named: Any) -> bool:
    return isinstance(named, str) and 0 < len(named) <= MAX_ID_LENGTH and named.isprintable()


def _raw(body: Any) -> bytes:
    if isinstance(body, str):
        return body.encode(errors="surrogatepass")
    return bytes(body) if isinstance(body, bytes | bytearray | memoryview) else b""


def _fault_of_body(message: Any) -> str | None:
    raw = _raw(message.body)
    if len(raw) > MAX_BODY_BYTES:
        return "too-large"
    try:
        parts = parse_strict(raw)
    except InvalidJson:
        return "undecodable"
    if not isinstance(parts, list) or len(parts) != PARTS_OF_A_BODY:
        return "not-a-task"
    args, kwargs, embed = parts
    if not isinstance(args, list) or not isinstance(kwargs, dict) or not isinstance(embed, dict | None):
        return "not-a-task"
    if embed and any(embed.values()):
        return "callbacks"
    # Where kombu keeps what it has read, so that nobody reads the body again.
    message._decoded_cache = parts  # noqa: SLF001
    return None


class GuardedConsumer(Consumer):
    """Celery's consumer behind the door."""

    connection_errors: tuple[type[BaseException], ...]
    """Celery sets it; its stubs do not know."""

    def create_task_handler(self, *args: Any, **kwargs: Any) -> Callable[[Any], Any]:
        """Wrap Celery's handler of received messages."""
        handle = super().create_task_handler(*args, **kwargs)

        def on_message(message: Any) -> Any:
            fault = fault_of(message, self.app.tasks)
            return handle(message) if fault is None else self._bury(message, fault)

        return on_message

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        """Celery would drop it."""
        self._bury(message, f"undecodable ({type(exc).__name__})")

    def on_invalid_task(self, _body: Any, message: Any, exc: Exception) -> None:
        """Celery would store a failure of its own format."""
        self._bury(message, f"not-a-task ({type(exc).__name__})")

    def _bury(self, message: Any, fault: str) -> None:
        task_id = task_id_of(message)
        log.error("A message is dead-lettered: %s", fault)
        if settings().broker_is_redis:
            try:
                self._bury_on_redis(message, task_id, fault)
            except TandemError as error:
                log.warning("It goes back instead: %s", error)
                message.reject_log_error(log, self.connection_errors, requeue=True)
                return
            message.ack_log_error(log, self.connection_errors)
        else:
            message.reject_log_error(log, self.connection_errors)  # the recorder tells the caller

    @staticmethod
    def _bury_on_redis(message: Any, task_id: str, fault: str) -> None:
        queue = str((message.delivery_info or {}).get("routing_key", ""))
        headers = message.headers if isinstance(message.headers, dict) else {}
        body, named = _raw(message.body), {**headers, "id": task_id}
        dead_letter(settings(), headers=named, body=body, queue=queue, reason=fault)
        if not task_id:
            return
        client = synchronous_client(settings().redis_url)
        try:
            TaskAttempts(client, settings()).fail(
                Delivery(task_id), PoisonTask(f"The message could not be read as a task ({fault}).")
            )
        finally:
            client.close()
