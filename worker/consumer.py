"""The worker's consumer: behind the door of `guarded_consumer`, and prompt where Celery's own would wait."""

from typing import Any

from celery.concurrency.solo import TaskPool as SoloPool
from celery.worker.consumer import Consumer

from worker.guarded_consumer import GuardedConsumer


class PredictionConsumer(GuardedConsumer):
    """Acknowledges at once in the solo pool.

    There a task runs inside the event loop's own callback, and what it asks the loop to do soon is done only
    after the next poll, up to a second later; with a small prefetch the next message waits as long.
    """

    class Blueprint(Consumer.Blueprint):  # type: ignore[valid-type, misc]  # a class, which the stubs do not say
        """Without the step that would prepare quorum queues for an ETA or countdown, which nobody may use."""

        default_steps = tuple(step for step in Consumer.Blueprint.default_steps if "delayed" not in step)

    def call_soon_ack(self, p: Any, *args: Any, **kwargs: Any) -> Any:
        """Run an acknowledgement or rejection: now, from the thread that owns the connection, or soon."""
        if not isinstance(self.pool, SoloPool):
            return super().call_soon_ack(p, *args, **kwargs)  # type: ignore[misc]  # missing from the stubs
        p(*args, **kwargs)
        return p
