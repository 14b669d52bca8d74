"""`python -m worker.health`: whether the worker on this host serves, as the functions see it.

Ends with 0 when its heartbeat is fresh, which it is only while its processes have a model loaded; else with 1
and one line. For the health checks of containers: `celery inspect ping` imports the whole worker each time
and knows nothing of models.
"""

import socket

import redis

from tandem.backplane.errors import TandemError
from tandem.backplane.model_cards import ALIVE_SECONDS, WORKERS
from tandem.backplane.settings import settings
from tandem.backplane.store import store_errors, synchronous_client
from tandem.schemas.model_card import WorkerHeartbeat


def silent_seconds(client: redis.Redis, node: str) -> float | None:
    """How long ago `node` was heard of, by the store's clock; None if never. Raises StoreUnavailable."""
    with store_errors():
        text = client.hget(WORKERS, node)
        seconds, _ = client.time()
    return None if text is None else seconds - WorkerHeartbeat.model_validate_json(text).seen_ms / 1000


def main() -> None:
    """Look at the heartbeat of the node that Celery names after this host."""
    node = f"celery@{socket.gethostname()}"
    try:
        with synchronous_client(settings().redis_url) as client:
            silent = silent_seconds(client, node)
    except TandemError as error:
        raise SystemExit(f"{node}: {error}") from None
    if silent is None:
        raise SystemExit(f"{node} has not been heard of: no model is loaded")
    if silent > ALIVE_SECONDS:
        raise SystemExit(f"{node} has not been heard of for {silent:.0f} s")


if __name__ == "__main__":
    main()
