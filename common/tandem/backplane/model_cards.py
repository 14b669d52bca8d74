"""Which models are served, and by which live workers: cards and heartbeats in Redis.

A worker writes its cards once loaded and its heartbeat every few seconds; the functions validate against
the card and know from the heartbeat whether anybody would answer. Neither side needs MLflow for it.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import redis
import redis.asyncio
from pydantic import BaseModel, ValidationError

from tandem.backplane.errors import ModelNotFound, WorkersUnavailable
from tandem.backplane.store import store_errors
from tandem.schemas.model_card import ModelCard, WorkerHeartbeat

Written = TypeVar("Written", bound=BaseModel)

CARDS = "tandem:cards"
WORKERS = "tandem:workers"
TTL_SECONDS = 7 * 24 * 3600
HEARTBEAT_SECONDS = 3
ALIVE_SECONDS = 12
"""A worker that has not been heard of for this long counts as gone."""
FORGET_SECONDS = 3600
REFRESH_SECONDS = 1.0
"""How old what a function knows of models and workers is when it reads it again."""
USABLE_SECONDS = 3.0
"""How old it may be for those who come while it is being read."""


def card_field(model_name: str, alias: str) -> str:
    """The field of a model at an alias."""
    return f"{model_name}@{alias}"


def publish_cards(client: redis.Redis, cards: Sequence[ModelCard]) -> None:
    """Write the cards of the models a worker has loaded."""
    with store_errors():
        pipeline = client.pipeline(transaction=True)
        for card in cards:
            pipeline.hset(CARDS, card_field(card.model_name, card.alias), card.model_dump_json())
        pipeline.expire(CARDS, TTL_SECONDS)
        pipeline.execute()


def publish_heartbeat(client: redis.Redis, heartbeat: WorkerHeartbeat) -> None:
    """Say that a worker lives, and drop those not heard of for an hour."""
    with store_errors():
        known = client.hgetall(WORKERS)
        oldest = heartbeat.seen_ms - FORGET_SECONDS * 1000
        lost = [
            node
            for node, text in known.items()
            if all(beat.seen_ms < oldest for beat in _readable(WorkerHeartbeat, text))
        ]
        pipeline = client.pipeline(transaction=True)
        if lost:
            pipeline.hdel(WORKERS, *lost)
        pipeline.hset(WORKERS, heartbeat.node, heartbeat.model_dump_json())
        pipeline.expire(WORKERS, TTL_SECONDS)
        pipeline.expire(CARDS, TTL_SECONDS)
        pipeline.execute()


def withdraw_heartbeat(client: redis.Redis, node: str) -> None:
    """Say that a worker is going, so that nobody counts on it."""
    with store_errors():
        client.hdel(WORKERS, node)


@dataclass(frozen=True)
class Catalog:
    """Cards and live workers at one moment."""

    cards: dict[str, ModelCard]
    workers: tuple[WorkerHeartbeat, ...]

    def card(self, model_name: str, alias: str) -> ModelCard:
        """The card of a model at an alias; raises ModelNotFound."""
        try:
            return self.cards[card_field(model_name, alias)]
        except KeyError:
            raise ModelNotFound(
                f"No worker has loaded a model of this name at the alias {alias!r}."
            ) from None

    def require_worker(self, model_name: str, alias: str) -> None:
        """Raise WorkersUnavailable unless a live worker has the model loaded."""
        wanted = card_field(model_name, alias)
        if not any(wanted in worker.models for worker in self.workers):
            raise WorkersUnavailable("No live worker has this model loaded.")


def _readable(model: type[Written], text: bytes | str) -> list[Written]:
    """What was written, or nothing where a version of ourselves wrote it in another way."""
    try:
        return [model.model_validate_json(text)]
    except ValidationError:
        return []


class ModelCatalog:
    """What the functions know of models and workers: read again when older than a second, by one for all."""

    def __init__(self, client: redis.asyncio.Redis) -> None:
        self._client = client
        self._catalog = Catalog({}, ())
        self._texts: dict[bytes, bytes] = {}
        self._read_at = -1e9
        self._reading: asyncio.Task[Catalog] | None = None
        self._ahead_ms = 0

    def now_ms(self) -> int:
        """Milliseconds since the epoch by the store's clock as last read; deadlines are kept by it."""
        return int(time.time() * 1000) + self._ahead_ms

    async def read(self) -> Catalog:
        """The catalog, some seconds old at most. Raises StoreUnavailable."""
        # By the wall clock: another may stand still in a frozen function.
        age = time.time() - self._read_at
        if 0 <= age < REFRESH_SECONDS:
            return self._catalog
        if self._reading is None:
            self._reading = asyncio.create_task(self._read())
            self._reading.add_done_callback(self._has_read)
        elif 0 <= age < USABLE_SECONDS:
            return self._catalog
        return await asyncio.shield(self._reading)

    def _has_read(self, reading: "asyncio.Task[Catalog]") -> None:
        self._reading = None
        if not reading.cancelled():
            reading.exception()  # told to whoever waited; perhaps nobody any more

    async def _read(self) -> Catalog:
        asked_at = time.time()
        with store_errors():
            pipeline = self._client.pipeline(transaction=False)
            pipeline.hgetall(CARDS)
            pipeline.hgetall(WORKERS)
            pipeline.time()
            cards, workers, clock = await pipeline.execute()
        now_ms = clock[0] * 1000 + clock[1] // 1000
        self._ahead_ms = now_ms - int(time.time() * 1000)
        alive_since = now_ms - ALIVE_SECONDS * 1000
        known = self._catalog.cards
        if cards != self._texts:
            found = ((name.decode(), _readable(ModelCard, text)) for name, text in cards.items())
            known = {name: card for name, written in found for card in written}
        heartbeats = [beat for text in workers.values() for beat in _readable(WorkerHeartbeat, text)]
        alive = tuple(beat for beat in heartbeats if beat.seen_ms >= alive_since)
        self._catalog, self._texts, self._read_at = Catalog(known, alive), cards, asked_at
        return self._catalog
