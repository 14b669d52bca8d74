"""Take what has already arrived, without waiting: how a batch grows beyond the message that woke us."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from tandem.backplane.topology import PREDICTION_QUEUES, SYNC


def take_waiting(consumer: Any, more: Callable[[str], bool]) -> None:
    """Hand messages that are there to the consumer for as long as `more(queue)`; raises connection errors.

    RabbitMQ sends of each queue what it may and no more: there callers alone are not to be taken without end.
    """
    if consumer.connection.transport.driver_type == "redis":
        _from_lists(consumer, more)
        return
    with suppress(TimeoutError):
        while more(SYNC):
            consumer.connection.drain_events(timeout=0)


def _from_lists(consumer: Any, more: Callable[[str], bool]) -> None:
    # The transport's own loop brings one message a round trip; these are taken beside it.
    channel = consumer.task_consumer.channel
    receive = consumer.task_consumer.on_message
    for queue in consumer.task_consumer.queues:
        if queue.name not in PREDICTION_QUEUES:
            continue
        while more(queue.name):
            # Not `Queue.get`, which would lose hold of a message that cannot be decoded.
            message = channel.basic_get(queue.name, no_ack=False)
            if message is None:
                break
            if message.errors:
                consumer.on_decode_error(message, message.errors[0][1])
            else:
                receive(message)
