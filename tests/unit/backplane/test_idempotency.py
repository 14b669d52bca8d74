"""A key whose request was lost half-way is somebody else's to go on with: later, and as the same task."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
import redis.asyncio

from tandem.backplane import idempotency
from tandem.backplane.errors import RequestInProgress
from tandem.backplane.idempotency import Claim, IdempotencyStore, StoredAnswer

if TYPE_CHECKING:
    from redis import Redis

    from tandem.backplane.settings import Settings


def claimed(given: Settings, task_id: str) -> Claim | StoredAnswer:
    """What a request with the key is told that would be this task."""

    async def claim() -> Claim | StoredAnswer:
        async with redis.asyncio.Redis.from_url(given.redis_url) as client:
            return await IdempotencyStore(client).claim(
                owner="alice", route="/predict/async", key="k", body=b"{}", task_id=task_id
            )

    return asyncio.run(claim())


@pytest.mark.usefixtures("client")
def test_a_key_whose_holder_was_lost_is_taken_over(given: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under the first one's task id, for its message may be on its way; from then on it is held again."""
    first = claimed(given, "first")
    assert isinstance(first, Claim)
    assert first.task_id == "first"
    with pytest.raises(RequestInProgress):
        claimed(given, "second")
    with monkeypatch.context() as patch:
        patch.setattr(idempotency, "HELD_MS", 0)
        assert claimed(given, "third") == first
    with pytest.raises(RequestInProgress):
        claimed(given, "fourth")


def test_what_was_answered_is_not_taken_over(
    given: Settings, client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long ago: the answer is given again, until the row goes with it."""
    monkeypatch.setattr(idempotency, "HELD_MS", 0)
    first = claimed(given, "first")
    assert isinstance(first, Claim)
    answer = StoredAnswer(202, {"location": "/there"}, b'{"task_id": "first"}')

    async def complete() -> None:
        async with redis.asyncio.Redis.from_url(given.redis_url) as storing:
            await IdempotencyStore(storing).complete(first, answer)

    asyncio.run(complete())
    assert claimed(given, "second") == answer
    assert 0 < int(client.ttl(first.row)) <= idempotency.TTL_SECONDS
