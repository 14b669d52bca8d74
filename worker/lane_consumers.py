"""The lane of chunks: a channel of its own, so that a worker holds few of them and others get the rest.

The consumer of predictions may hold hundreds of messages. Of chunks of one priority a worker that batches
holds what it runs and, on RabbitMQ, the next; one with a pool of processes holds one fewer than it has
processes, so that there is one for a caller who waits.
"""

from typing import Any

from celery import bootsteps
from kombu import Consumer
from kombu.common import ignore_errors

from tandem.backplane.settings import settings
from tandem.backplane.topology import BULK_QUEUES, PREDICTION_QUEUES, queue
from worker.batch_pools import batches

MOST_PREFETCHED = 16


def prefetch_of(pool: Any, *, broker_is_redis: bool) -> int:
    """Chunks of one queue that a worker with this pool holds at most.

    kombu on Redis fetches as long as it may hold more, though others may be free to run it: so there it holds
    only what it runs.
    """
    if batches(type(pool)):
        most: int = pool.num_processes + (0 if broker_is_redis else 1)
    else:
        most = pool.num_processes - 1
    return max(1, min(MOST_PREFETCHED, most))


class BulkConsumer(bootsteps.StartStopStep):
    """Consumer step: consumes the queues of chunks, unless `-Q` has named queues."""

    requires = ("celery.worker.consumer.tasks:Tasks", "worker.declared_queues:DeclaredQueues")

    def __init__(self, c: Any, **kwargs: Any) -> None:
        self._consumer: Any = None
        super().__init__(c, **kwargs)

    def include_if(self, c: Any) -> bool:
        """Whether the worker consumes the queues of predictions, all of them."""
        return set(PREDICTION_QUEUES) <= set(c.app.amqp.queues.consume_from)

    def start(self, c: Any) -> None:
        """Consume, on a channel of this step's own."""
        channel = c.connection.channel()
        prefetch = prefetch_of(c.pool, broker_is_redis=settings().broker_is_redis)
        channel.basic_qos(0, prefetch, False)
        self._consumer = Consumer(
            channel,
            [queue(name, settings().queue_max_length) for name in BULK_QUEUES],
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
