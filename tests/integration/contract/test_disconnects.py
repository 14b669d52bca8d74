"""A caller who waits and leaves: nothing is computed for nobody."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

import pytest
import redis

from functions.predict_sync.app import app
from tandem.backplane.edge import close_edge
from tandem.backplane.settings import settings
from tandem.backplane.store import synchronous_client
from tandem.backplane.task_attempts import Delivery, NotRun, TaskAttempts
from tandem.backplane.task_scripts import record_key
from tandem.backplane.topology import SYNC
from tests.integration.contract.conftest import WAYS
from tests.integration.contract.deployment import only_where_the_broker_is_ours

if TYPE_CHECKING:
    from tests.integration.contract.deployment import Deployment

pytestmark = pytest.mark.timeout(60)

PUBLISH_SECONDS = 20
SCOPE = {
    "type": "http",
    "asgi": {"version": "3.0"},
    "http_version": "1.1",
    "method": "POST",
    "scheme": "http",
    "path": "/predict/",
    "raw_path": b"/predict/",
    "query_string": b"",
    "server": ("test", 80),
    "client": ("test", 1),
}


async def ask_and_leave(body: bytes, headers: dict[bytes, bytes], left: asyncio.Event) -> list[Any]:
    """Send a whole request and close the connection once `left` is set; what was answered."""
    sent: list[Any] = []
    whole = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        if whole:
            return whole.pop()
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await app({**SCOPE, "headers": list(headers.items()), "state": {}}, receive, send)
    return sent


def left_behind(silent: Deployment, **headers: str) -> str:
    """Ask for a prediction, leave once its message lies with the broker, and give the task's id."""
    assert silent.broker is not None
    broker = silent.broker
    before = broker.llen(SYNC)

    def wait_for_one_more() -> None:
        deadline = time.monotonic() + PUBLISH_SECONDS
        while broker.llen(SYNC) == before and time.monotonic() < deadline:
            time.sleep(0.02)

    async def run() -> list[Any]:
        left = asyncio.Event()

        async def leave() -> None:
            await asyncio.to_thread(wait_for_one_more)
            left.set()

        body = json.dumps({"features": silent.features}).encode()
        named = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
        try:
            answered, _ = await asyncio.gather(ask_and_leave(body, named, left), leave())
            return list(answered)
        finally:
            await close_edge()

    assert asyncio.run(run()) == []
    newest = json.loads(broker.lindex(SYNC, 0))  # type: ignore[arg-type]  # there is one
    return str(newest["headers"]["id"])


@pytest.fixture(scope="module")
def way() -> str:
    """Not as an event: Lambda is never told that a caller has left."""
    return next(iter(WAYS))


@pytest.fixture(autouse=True)
def _ours(silent: Deployment) -> None:
    only_where_the_broker_is_ours(silent)


def test_a_task_whose_caller_has_left_never_runs(silent: Deployment) -> None:
    """Its record is revoked at once, so the worker that comes to its message leaves it."""
    task_id = left_behind(silent)
    with redis.Redis.from_url(silent.redis_url) as store:
        assert store.hget(record_key(task_id), "s") == b"REVOKED"
    client = synchronous_client(silent.redis_url)
    try:
        [outcome] = TaskAttempts(client, settings()).start([Delivery(task_id, accepted=False)])
    finally:
        client.close()
    assert isinstance(outcome, NotRun)


def test_its_idempotency_key_is_free_again(silent: Deployment) -> None:
    """Whoever comes back with the key is not told that the first request is in progress."""
    first = left_behind(silent, idempotency_key="left")
    second = left_behind(silent, idempotency_key="left")
    assert first != second
