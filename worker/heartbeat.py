"""Telling the functions that this worker lives and what it has loaded: cards once, a heartbeat ever after.

Runs in the main process, in a thread of its own (a greenlet under gevent), from the moment the worker
consumes until it stops. It claims only what every living process has reported as loaded: while a lost pool
process is replaced nothing may be left to claim, and when the replacement cannot load, the worker ends.
"""

import logging
import threading
from collections.abc import Callable

from tandem.backplane.errors import StoreUnavailable
from tandem.backplane.model_cards import (
    CARDS,
    HEARTBEAT_SECONDS,
    publish_cards,
    publish_heartbeat,
    withdraw_heartbeat,
)
from tandem.backplane.settings import Settings
from tandem.backplane.store import store_errors, synchronous_client
from tandem.schemas.model_card import ModelCard, WorkerHeartbeat
from worker.load_reports import LoadReports, loaded

log = logging.getLogger(__name__)

STOP_SECONDS = 5.0


class Heartbeat:
    """Publishes cards and heartbeat until stopped. Owns its thread and its connection."""

    def __init__(
        self,
        settings: Settings,
        reports: LoadReports,
        *,
        node: str,
        pool: str,
        concurrency: int,
        end_worker: Callable[[], None],
    ) -> None:
        self._client = synchronous_client(settings.redis_url)
        self._reports = reports
        self._node, self._pool, self._concurrency = node, pool, concurrency
        self._end_worker = end_worker
        self._published: dict[str, ModelCard] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Begin; the first beat goes out at once."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread, withdraw the heartbeat, close the connection."""
        self.stop_soon()
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)
        self._client.close()

    def stop_soon(self) -> None:
        """Ask the thread to withdraw and end; safe in a signal handler."""
        self._stopping.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._quietly(self.beat)
            self._stopping.wait(HEARTBEAT_SECONDS)
        self._quietly(lambda: withdraw_heartbeat(self._client, self._node))

    def _quietly(self, step: Callable[[], None]) -> None:
        try:
            step()
        except StoreUnavailable as error:
            log.warning("The heartbeat could not be written: %s", error)

    def beat(self) -> None:
        """Publish what is loaded now; raises StoreUnavailable."""
        reports = self._reports.read()
        cards = loaded(reports)
        if not cards:
            if reports:
                log.critical("No pool process can load a model any more: the worker ends")
                self._end_worker()
            withdraw_heartbeat(self._client, self._node)
            return
        self._publish_cards(cards)
        with store_errors():
            seconds, _ = self._client.time()  # the clock by which readers judge
        heartbeat = WorkerHeartbeat(
            node=self._node,
            seen_ms=seconds * 1000,
            pool=self._pool,
            concurrency=self._concurrency,
            models={name: card.model_version for name, card in cards.items()},
        )
        publish_heartbeat(self._client, heartbeat)

    def _publish_cards(self, cards: dict[str, ModelCard]) -> None:
        """Publish new cards, and those the store no longer has."""
        with store_errors():
            kept = self._client.hmget(CARDS, list(cards))
        publish = [
            card
            for (name, card), text in zip(cards.items(), kept, strict=True)
            if text is None or self._published.get(name) != card
        ]
        if publish:
            publish_cards(self._client, publish)
        self._published = cards
