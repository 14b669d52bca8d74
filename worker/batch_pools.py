"""Which pools run their tasks in the consumer's own process, so that these can run together."""

from typing import Any

MAX_ROWS = 256
"""Rows of one batch at most."""
PREFETCH = 2 * MAX_ROWS
"""Messages in hand per queue: the batch that runs, and the one that gathers meanwhile."""
SOLO = "celery.concurrency.solo"
THREADS = "celery.concurrency.thread"


def batches(pool: Any) -> bool:
    """Whether this class of pool batches: its module, or its name as `--pool` gives it."""
    name = pool if isinstance(pool, str) else pool.__module__
    return name.partition(":")[0] in {SOLO, THREADS, "solo", "threads"}
