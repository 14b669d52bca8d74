"""Waiting out a store that is away, so that a short outage costs a task some seconds and not a delivery."""

import random
import time
from collections.abc import Callable
from typing import TypeVar

import redis

from tandem.backplane.errors import StoreUnavailable
from tandem.backplane.store import store_errors

START_PATIENCE = 0.5
"""How long a task waits for the store before it runs, as a share of the time limit, which counts waiting too.
A message given back to the broker has used up one of its few deliveries, so together these make minutes."""
END_PATIENCE = 0.25
"""The same for what follows; what is left is the model's."""
FIRST_WAIT_SECONDS = 0.1
LONGEST_WAIT_SECONDS = 2.0

Result = TypeVar("Result")


def patiently(client: redis.Redis, step: Callable[[], Result], patience_seconds: float) -> Result:
    """Give what `step` gives, trying again while it raises StoreUnavailable; that, once patience ends.

    Between two tries it waits for the store to answer a PING: a store that hangs runs whatever it was sent
    once it goes on, and a step sent ten times would then count as ten attempts.
    """
    give_up_at = time.monotonic() + patience_seconds
    while True:
        try:
            return step()
        except StoreUnavailable:
            _wait_for(client, give_up_at)


def _wait_for(client: redis.Redis, give_up_at: float) -> None:
    wait = FIRST_WAIT_SECONDS
    while True:
        if time.monotonic() + wait > give_up_at:
            raise StoreUnavailable("The store stayed away for too long.")
        time.sleep(wait * random.uniform(0.5, 1.0))  # noqa: S311  spreads workers, keeps no secret
        try:
            with store_errors():
                client.ping()
        except StoreUnavailable:
            wait = min(wait * 2, LONGEST_WAIT_SECONDS)
        else:
            return
