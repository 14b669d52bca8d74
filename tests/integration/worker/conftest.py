"""A Celery client of a user's own: it knows two URLs, a queue and the names of tasks, nothing of Tandem."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from celery import Celery

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.integration.conftest import LiveWorker


@pytest.fixture(scope="session")
def client_of() -> Iterator[Callable[[LiveWorker], Celery]]:
    """Make a client of a worker's broker and store; all are closed with the session."""
    made: list[Celery] = []

    def make(worker: LiveWorker) -> Celery:
        client = Celery(broker=worker.broker_url, backend=worker.redis_url, set_as_current=False)
        made.append(client)
        return client

    yield make
    for client in made:
        client.close()
