"""Take what has already arrived, without waiting: how a batch grows beyond the message that woke us."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from tandem.backplane.topology import PREDICTION_QUEUES


def take_waiting(consumer: Any, more: Callable[[], bool]) -> None:
    """Hand messages that are there to the consumer for as long as `more()`; raises connection errors."""
    if consumer.connection.transport.driver_type == "redis":
        _from_lists(consumer, more)
        return
    with suppress(TimeoutError):
        while more():
            consumer.connection.drain_events(timeout=0)


def _from_lists(consumer: Any, more: Callable[[], bool]) -> None:
    # The transport's own loop brings one message a round trip; these are taken beside it.
    channel = consumer.task_consumer.channel
    receive = consumer.task_consumer.on_message
    for queue in consumer.task_consumer.queues:
        if queue.name not in PREDICTION_QUEUES:
            continue
        while more():
            # Not `Queue.get`, which would lose hold of a message that cannot be decoded.
            message = channel.basic_get(queue.name, no_ack=False)
            if message is None:
                break
            if message.errors:
                consumer.on_decode_error(message, message.errors[0][1])
            else:
                receive(message)
