"""What the functions know of models and workers: what live workers have said, at most a second ago."""

import asyncio
import time

import pytest
import redis
import redis.asyncio

from tandem.backplane.errors import ModelNotFound, StoreUnavailable, WorkersUnavailable
from tandem.backplane.model_cards import (
    ALIVE_SECONDS,
    CARDS,
    FORGET_SECONDS,
    REFRESH_SECONDS,
    WORKERS,
    Catalog,
    ModelCatalog,
    publish_cards,
    publish_heartbeat,
    withdraw_heartbeat,
)
from tandem.backplane.settings import Settings
from tandem.backplane.store import asynchronous_client
from tandem.schemas.model_card import ModelCard, WorkerHeartbeat


def card(name: str, alias: str = "champion", version: str = "1") -> ModelCard:
    """A card of a model."""
    return ModelCard(
        model_name=name,
        alias=alias,
        model_version=version,
        model_run_id="run",
        loaded_at="2026-04-25T12:00:00Z",
        loaded_by="worker1@host",
        metrics={"log_loss": 0.98},
        inputs=[{"name": "home_elo", "type": "double", "required": True}],
        outputs=[{"type": "long"}],
    )


def heartbeat(node: str, models: dict[str, str], age_seconds: float = 0) -> WorkerHeartbeat:
    """A heartbeat of some seconds ago."""
    seen_ms = int((time.time() - age_seconds) * 1000)
    return WorkerHeartbeat(node=node, seen_ms=seen_ms, pool="prefork", concurrency=2, models=models)


def read(given: Settings) -> Catalog:
    """What a function that has just started knows."""

    async def ask() -> Catalog:
        async with asynchronous_client(given.redis_url) as client:
            return await ModelCatalog(client).read()

    return asyncio.run(ask())


def test_cards_are_found_by_name_and_alias(client: redis.Redis, given: Settings) -> None:
    """The last one written for the pair; another pair is another model."""
    publish_cards(client, [card("football"), card("football", "challenger", "2")])
    publish_cards(client, [card("football", version="3")])
    catalog = read(given)
    assert catalog.card("football", "champion") == card("football", version="3")
    assert catalog.card("football", "challenger").model_version == "2"
    for name, alias in [("spam", "champion"), ("football", "nobody")]:
        with pytest.raises(ModelNotFound):
            catalog.card(name, alias)


def test_a_worker_counts_while_it_is_heard_of(client: redis.Redis, given: Settings) -> None:
    """By the store's clock; a card without a live worker is a card that nobody would answer for."""
    publish_heartbeat(client, heartbeat("silent@host", {"football@champion": "1"}, ALIVE_SECONDS + 5))
    with pytest.raises(WorkersUnavailable):
        read(given).require_worker("football", "champion")
    publish_heartbeat(client, heartbeat("live@host", {"football@champion": "1"}))
    catalog = read(given)
    catalog.require_worker("football", "champion")
    assert [worker.node for worker in catalog.workers] == ["live@host"]
    with pytest.raises(WorkersUnavailable):
        catalog.require_worker("football", "challenger")


def test_a_worker_that_goes_takes_its_heartbeat_along(client: redis.Redis, given: Settings) -> None:
    """Nobody counts on it from then on; one that died is forgotten after an hour."""
    publish_heartbeat(client, heartbeat("dead@host", {}, FORGET_SECONDS + 5))
    publish_heartbeat(client, heartbeat("one@host", {"football@champion": "1"}))
    publish_heartbeat(client, heartbeat("two@host", {"football@champion": "1"}))
    assert set(client.hkeys(WORKERS)) == {b"one@host", b"two@host"}
    withdraw_heartbeat(client, "one@host")
    assert [worker.node for worker in read(given).workers] == ["two@host"]


def test_every_key_has_an_end(client: redis.Redis) -> None:
    """A heartbeat keeps the cards alive, too."""
    publish_cards(client, [card("football")])
    client.expire(CARDS, 5)
    publish_heartbeat(client, heartbeat("one@host", {"football@champion": "1"}))
    assert all(client.ttl(key) > 5 for key in (CARDS, WORKERS))


def test_what_is_known_is_read_again_when_it_is_old(client: redis.Redis, given: Settings) -> None:
    """Within a second from memory, then from the store, and also when the clock was set back."""

    async def ask() -> list[int]:
        async with asynchronous_client(given.redis_url) as connected:
            catalog = ModelCatalog(connected)
            counts = [len((await catalog.read()).cards)]
            publish_cards(client, [card("football")])
            counts.append(len((await catalog.read()).cards))
            catalog._read_at -= REFRESH_SECONDS
            counts.append(len((await catalog.read()).cards))
            publish_cards(client, [card("spam")])
            catalog._read_at = time.time() + 3600
            counts.append(len((await catalog.read()).cards))
            return counts

    assert asyncio.run(ask()) == [0, 0, 1, 2]


def test_many_who_come_at_once_are_one_question(client: redis.Redis, given: Settings) -> None:
    """However many callers find the catalog old, the store is asked once."""
    publish_cards(client, [card("football")])

    async def ask() -> None:
        async with asynchronous_client(given.redis_url) as connected:
            catalog = ModelCatalog(connected)
            before = asked()
            found = await asyncio.gather(*(catalog.read() for _ in range(200)))
            assert asked() - before == 2
            assert all("football@champion" in one.cards for one in found)
            catalog._read_at -= REFRESH_SECONDS
            publish_cards(client, [card("spam")])
            found = await asyncio.gather(*(catalog.read() for _ in range(200)))
            assert asked() - before == 4
            assert "spam@champion" in found[0].cards

    def asked() -> int:
        return int(client.info("commandstats").get("cmdstat_hgetall", {}).get("calls", 0))

    asyncio.run(ask())


def test_a_question_without_an_answer_is_told_to_all_and_asked_again(
    client: redis.Redis, given: Settings
) -> None:
    """A store that is away raises for each; once it is back it is read."""
    publish_cards(client, [card("football")])

    async def ask() -> None:
        async with asynchronous_client("redis://127.0.0.1:1/0") as nowhere:
            catalog = ModelCatalog(nowhere)
            found = await asyncio.gather(*(catalog.read() for _ in range(5)), return_exceptions=True)
            assert [type(one) for one in found] == [StoreUnavailable] * 5
        async with asynchronous_client(given.redis_url) as connected:
            catalog._client = connected
            assert "football@champion" in (await catalog.read()).cards

    asyncio.run(ask())


def test_what_cannot_be_read_is_left_out(client: redis.Redis, given: Settings) -> None:
    """One card or heartbeat in another form does not take the others away; such a worker is forgotten."""
    publish_cards(client, [card("football")])
    client.hset(CARDS, "old@champion", '{"model_name": "old"}')
    client.hset(WORKERS, "old@host", "{}")
    publish_heartbeat(client, heartbeat("live@host", {"football@champion": "1"}))
    catalog = read(given)
    assert set(catalog.cards) == {"football@champion"}
    assert [worker.node for worker in catalog.workers] == ["live@host"]
    assert client.hkeys(WORKERS) == [b"live@host"]


def test_what_time_it_is_the_store_says(given: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A function whose clock is an hour behind gives its callers the deadlines they asked for."""
    right = time.time

    async def ask() -> int:
        async with asynchronous_client(given.redis_url) as connected:
            catalog = ModelCatalog(connected)
            await catalog.read()
            return catalog.now_ms()

    monkeypatch.setattr(time, "time", lambda: right() - 3600)
    assert abs(asyncio.run(ask()) / 1000 - right()) < 60
