"""The queues that the worker does not consume but relies on: without `ml.dead` dead letters have no place."""

from typing import Any

from celery import bootsteps

from tandem.backplane import topology
from tandem.backplane.settings import settings


class DeclaredQueues(bootsteps.StartStopStep):
    """Consumer step: declares the topology at every connect."""

    requires = ("celery.worker.consumer.connection:Connection",)

    def start(self, consumer: Any) -> None:
        """Declare; a queue that exists with other arguments ends the worker with the broker's own words."""
        topology.declare(consumer.connection, settings().queue_max_length)
