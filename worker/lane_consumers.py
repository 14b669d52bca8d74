"""Lanes with a channel of their own, beside the one on which Celery's consumer holds hundreds of messages.

Waiting callers': RabbitMQ acknowledges many at once by acknowledging all of a channel up to one. Beside older
accepted work, of which a worker holds 512, each caller's message would need a frame of its own.

Chunks: a worker holds few of them and others get the rest.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

from celery import bootsteps
from kombu import Consumer
from kombu.common import ignore_errors

from tandem.backplane.settings import settings
from tandem.backplane.topology import BULK_QUEUES, PREDICTION_QUEUES, SYNC, queue
from worker.batch_pools import batches

MOST_CHUNKS = 16


def chunks_in_hand(pool: Any, *, broker_is_redis: bool) -> int:
    """Chunks of one priority that a worker with this pool holds at most.

    One that batches holds what it runs and, on RabbitMQ, the next; one with a pool of processes holds one
    fewer than it has processes, so that there is one for a caller who waits. kombu on Redis fetches as long
    as it may hold more, though others may be free to run it: so there a worker holds only what it runs.
    """
    if batches(type(pool)):
        most: int = pool.num_processes + (0 if broker_is_redis else 1)
    else:
        most = pool.num_processes - 1
    return max(1, min(MOST_CHUNKS, most))


class LaneConsumer(bootsteps.StartStopStep):
    """Consumer step: consumes queues of its own, unless `-Q` has named queues."""

    requires = ("celery.worker.consumer.tasks:Tasks", "worker.declared_queues:DeclaredQueues")
    queues: ClassVar[Sequence[str]]

    def __init__(self, c: Any, **kwargs: Any) -> None:
        self._consumer: Any = None
        super().__init__(c, **kwargs)

    def include_if(self, c: Any) -> bool:
        """Whether the worker consumes the queues of predictions, all of them."""
        return set(PREDICTION_QUEUES) <= set(c.app.amqp.queues.consume_from)

    def prefetch(self, c: Any) -> int:
        """How many messages of each queue are in hand at most."""
        raise NotImplementedError

    def start(self, c: Any) -> None:
        """Consume, on a channel of this step's own."""
        channel = c.connection.channel()
        channel.basic_qos(0, self.prefetch(c), False)
        self._consumer = Consumer(
            channel,
            [queue(name, settings().queue_max_length) for name in self.queues],
            on_message=c.create_task_handler(),
            on_decode_error=c.on_decode_error,
            auto_declare=False,
        )
        self._consumer.consume()

    def stop(self, c: Any) -> None:
        """Take no more; what runs can still be acknowledged."""
        if self._consumer is not None:
            ignore_errors(c, self._consumer.cancel)

    def shutdown(self, c: Any) -> None:
        """Close the channel, after the pool has ended."""
        if self._consumer is not None:
            self.stop(c)
            ignore_errors(c, self._consumer.channel.close)
            self._consumer = None


class CallersConsumer(LaneConsumer):
    """Waiting callers' messages, on RabbitMQ where they run in batches."""

    queues = (SYNC,)

    def include_if(self, c: Any) -> bool:
        """Whether messages are acknowledged together."""
        return super().include_if(c) and batches(type(c.pool)) and not settings().broker_is_redis

    def prefetch(self, c: Any) -> int:
        """As many as of each queue of accepted work."""
        most: int = c.initial_prefetch_count
        return most

    def start(self, c: Any) -> None:
        """Consume them here, and not where Celery would: it begins only after all steps have started."""
        c.task_consumer.cancel_by_queue(SYNC)
        super().start(c)


class BulkConsumer(LaneConsumer):
    """Chunks of batches."""

    queues = BULK_QUEUES

    def prefetch(self, c: Any) -> int:
        """Few."""
        return chunks_in_hand(c.pool, broker_is_redis=settings().broker_is_redis)
