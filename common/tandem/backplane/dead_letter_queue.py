"""What ended badly: look at the dead letters, send them on again, throw them away, on either broker.

Through kombu, so that RabbitMQ and Redis read the same. Looking takes messages and gives them back; only
`replay` (after the broker has confirmed the new copy) and `purge` remove any.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from kombu import Connection

from tandem.backplane import topology
from tandem.backplane.broker import (
    CONFIRM_SECONDS,
    CONNECT_SECONDS,
    TRANSPORT_ERRORS,
    BrokerConnection,
    tls_of,
)
from tandem.backplane.compressed_messages import leave_compressed
from tandem.backplane.errors import BrokerUnavailable, TandemError
from tandem.backplane.message import HEADER, Message, delivery_header
from tandem.backplane.settings import Settings

REASON = "x-first-death-reason"
QUEUE = "x-first-death-queue"
DEATHS = "x-death"
LOOK_LIMIT = 10_000


@dataclass(frozen=True)
class DeadLetter:
    """One dead letter. `model` is empty where the body cannot be read."""

    task_id: str
    task: str
    model: str
    queue: str
    reason: str
    died_at: str
    body: bytes
    headers: Mapping[str, Any]


def dead_letter_headers(headers: Mapping[str, Any], queue: str, reason: str) -> dict[str, Any]:
    """Headers that say of a message what RabbitMQ says when it dead-letters one; for Redis as broker."""
    return {**headers, QUEUE: queue, REASON: reason, DEATHS: [{"time": datetime.now(UTC).isoformat()}]}


def peek(settings: Settings, limit: int = LOOK_LIMIT) -> list[DeadLetter]:
    """The oldest dead letters, left where they are. Raises BrokerUnavailable."""
    with _connection(settings) as connection, _taken(connection, limit) as taken:
        return [letter for letter, _ in taken]


def replay(
    settings: Settings,
    chosen: Callable[[DeadLetter], bool],
    reopen: Callable[[str], bool],
    model_version: str | None = None,
) -> list[str]:
    """Send chosen dead letters to their queues again and give their task ids.

    `reopen` makes the task wait again and says whether it had failed; one that ended otherwise, or whose
    end is not recorded yet, is left. Raises BrokerUnavailable or QueueFull; what was not confirmed stays a
    dead letter, and can be replayed again.
    """
    replayed = []
    with _connection(settings) as connection, _taken(connection, LOOK_LIMIT) as taken:
        publishing = BrokerConnection(settings.broker_url, settings.queue_max_length)
        try:
            for letter, message in taken:
                if letter.task_id and chosen(letter) and reopen(letter.task_id):
                    _publish(publishing, letter, model_version)
                    message.ack()
                    replayed.append(letter.task_id)
        finally:
            publishing.close()
    return replayed


def purge(settings: Settings, chosen: Callable[[DeadLetter], bool]) -> int:
    """Throw chosen dead letters away and say how many. Raises BrokerUnavailable."""
    count = 0
    with _connection(settings) as connection, _taken(connection, LOOK_LIMIT) as taken:
        for letter, message in taken:
            if chosen(letter):
                message.ack()
                count += 1
    return count


@contextmanager
def _connection(settings: Settings) -> Iterator[Connection]:
    leave_compressed()
    bounds = {"socket_connect_timeout": CONNECT_SECONDS, "socket_timeout": CONFIRM_SECONDS}
    connection = Connection(
        settings.broker_url,
        ssl=tls_of(settings.broker_url),
        connect_timeout=CONNECT_SECONDS,
        transport_options=bounds if settings.broker_is_redis else {},
    )
    try:
        connection.ensure_connection(max_retries=1, timeout=3)
        yield connection
    except TRANSPORT_ERRORS as error:
        raise BrokerUnavailable(f"The broker cannot be reached ({type(error).__name__}).") from error
    finally:
        connection.close()


@contextmanager
def _taken(connection: Connection, limit: int) -> Iterator[list[tuple[DeadLetter, Any]]]:
    channel: Any = connection.default_channel
    taken: list[tuple[DeadLetter, Any]] = []
    try:
        while len(taken) < limit:
            # Not `Queue.get`: it raises where a message cannot be decoded, as many dead letters cannot.
            message = channel.basic_get(topology.DEAD, no_ack=False)
            if message is None:
                break
            message = channel.message_to_python(message)
            taken.append((_letter(message), message))
        yield taken
    finally:
        _give_back(connection, [message for _, message in taken if not message.acknowledged])


def _give_back(connection: Connection, messages: Sequence[Any]) -> None:
    """Put messages back where they were. RabbitMQ does so itself when the connection closes."""
    if connection.transport.driver_type != "redis":
        return
    for message in reversed(messages):  # each goes before all others
        message.channel.qos.restore_by_tag(message.delivery_tag)
        message.channel.qos.ack(message.delivery_tag)


def _letter(message: Any) -> DeadLetter:
    headers = dict(message.headers or {})
    body = message.body if isinstance(message.body, bytes) else str(message.body).encode()
    return DeadLetter(
        task_id=str(headers.get("id") or message.properties.get("correlation_id") or ""),
        task=str(headers.get("task", "")),
        model=_model_of(body),
        queue=str(headers.get(QUEUE, "")),
        reason=str(headers.get(REASON, "unknown")),
        died_at=_time_of(headers.get(DEATHS)),
        body=body,
        headers=headers,
    )


def _time_of(deaths: Any) -> str:
    first = deaths[0] if isinstance(deaths, list) and deaths else None
    return str(first.get("time", "")) if isinstance(first, Mapping) else ""


def _model_of(body: bytes) -> str:
    try:
        model = json.loads(body)[1].get("model", "")
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, RecursionError):
        return ""
    return str(model)


def _publish(publishing: BrokerConnection, letter: DeadLetter, model_version: str | None) -> None:
    headers = {name: value for name, value in letter.headers.items() if name not in {REASON, QUEUE, DEATHS}}
    headers = {name: value for name, value in headers.items() if not name.startswith("x-")}
    header = delivery_header(submitted_ms=0)
    if model_version is not None:
        header["model_version"] = model_version
    headers[HEADER] = header
    queue = (
        letter.queue if letter.queue in {*topology.PREDICTION_QUEUES, topology.TRAINING} else topology.NORMAL
    )
    queue = topology.NORMAL if queue == topology.SYNC else queue
    refused: dict[str, TandemError] = publishing.publish(
        [Message(letter.task_id, queue, letter.body, headers, durable=True)]
    )
    if refused:
        raise refused[letter.task_id]
