"""Dead letters on a broker that has none of its own: Redis deletes what RabbitMQ would dead-letter."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tandem.backplane.broker import BrokerConnection
from tandem.backplane.dead_letter_queue import dead_letter_headers
from tandem.backplane.message import Message
from tandem.backplane.settings import Settings
from tandem.backplane.topology import DEAD


def dead_letter(
    settings: Settings,
    *,
    headers: Mapping[str, Any],
    body: bytes | Sequence[Any],
    queue: str,
    reason: str,
) -> None:
    """Put a message into `ml.dead`, before it is given up; raises BrokerUnavailable or QueueFull.

    `body` is the message's own, as it came, or its three parts.
    """
    connection = BrokerConnection(settings.broker_url, settings.queue_max_length)
    try:
        message = Message(
            task_id=str(headers["id"]),
            queue=DEAD,
            body=body if isinstance(body, bytes) else json.dumps(body).encode(),
            headers=dead_letter_headers(headers, queue, reason),
            durable=True,
        )
        refused = connection.publish([message])
    finally:
        connection.close()
    for error in refused.values():
        raise error
