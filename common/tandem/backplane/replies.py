"""The answers of a process's waiting callers: one channel, one reader, a future per caller.

A pub/sub message is only a hint that comes fast: what counts is the result in the store. So whoever has
waited for a second is looked up there too, every second, and a lost connection, a message sent while
nobody listened, or a function frozen between two requests costs at most two.
"""

import asyncio
import json
import os
import time
import uuid
from collections import Counter
from contextlib import suppress
from typing import Any

import redis.asyncio
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from tandem.backplane.errors import StoreUnavailable
from tandem.backplane.task_scripts import META_PREFIX, meta_key
from tandem.backplane.task_store import TaskStore

SWEEP_SECONDS = 1.0
PROBE_SECONDS = 5.0
"""A connection that has been silent for this long is asked for a sign of life."""
PROBES = 5
"""Given up is one that has not answered this many, one at every sweep."""
WAITING_LIMIT = 20_000
_TASK_ID = b'{"task_id": "'


class Replies:
    """Waits for tasks to end, on one event loop. Owns its reader and `client`; `close` ends both.

    `client` is one that tries nothing again by itself (`store.listening_client`): only the reader connects.
    """

    def __init__(self, client: redis.asyncio.Redis, tasks: TaskStore) -> None:
        self._client = client
        self._tasks = tasks
        self.channel = f"tandem:replies:{os.getpid()}-{uuid.uuid4().hex[:12]}"
        """Where a worker publishes the result documents of callers waiting here."""
        self._waiting: dict[str, set[asyncio.Future[bytes]]] = {}
        self._watched: Counter[str] = Counter()
        self._subscribed = asyncio.Event()
        self._pubsub: PubSub | None = None
        self._heard_at = 0.0
        self._probes = 0
        self._readers: list[asyncio.Task[None]] = []

    def expect(self, task_id: str, *, watch: bool = False) -> "Expected":
        """A context of a future of the task's result document (bytes), waited for with one's own deadline.

        `watch` is for tasks whose reply goes to another process: the store's own announcement is then
        listened to. Entering it raises StoreUnavailable where too many wait already; the future raises it at
        `close`.
        """
        return Expected(self, task_id, watch=watch)

    async def begin(self, task_id: str, future: "asyncio.Future[bytes]", *, watch: bool) -> None:
        """Have `future` end with the task's document; see `expect`, whose context calls this and `forget`."""
        if len(self._waiting) >= WAITING_LIMIT:
            raise StoreUnavailable("Too many callers are waiting.")
        self._ensure_readers()
        self._waiting.setdefault(task_id, set()).add(future)
        if watch:
            self._watched[task_id] += 1
        if watch or not self._is_listening():
            try:
                await self._listen(task_id, watch=watch)
            except asyncio.CancelledError:
                await self.forget(task_id, future, watch=watch)
                raise

    async def close(self) -> None:
        """Stop reading, refuse whoever still waits, and close the connection."""
        readers, self._readers = set(self._readers), []
        while readers:
            for reader in readers:
                reader.cancel()  # more than once, where one is lost as in `_listen`
            _, readers = await asyncio.wait(readers, timeout=SWEEP_SECONDS)
        for futures in self._waiting.values():
            for future in futures:
                if not future.done():
                    future.set_exception(StoreUnavailable("This process is about to end."))
        await self._client.aclose()

    def _ensure_readers(self) -> None:
        if not self._readers or any(reader.done() for reader in self._readers):
            for reader in self._readers:
                reader.cancel()
            self._readers = [asyncio.create_task(self._read()), asyncio.create_task(self._sweep())]

    def _is_listening(self) -> bool:
        # By the wall clock: a frozen process may have lost its connection, and its other clock stood still.
        return self._subscribed.is_set() and 0 <= time.time() - self._heard_at < 2 * PROBE_SECONDS

    async def _listen(self, task_id: str, *, watch: bool) -> None:
        # A connection that does not come up in time is not waited for: the sweep finds the answer.
        with suppress(TimeoutError, RedisError, OSError):
            async with asyncio.timeout(SWEEP_SECONDS):
                if self._subscribed.is_set() and not self._is_listening():
                    self._subscribed.clear()
                    self._heard_at = time.time()
                    if (pubsub := self._connected()) is not None:
                        await pubsub.ping()
                await self._subscribed.wait()
                if watch and (pubsub := self._connected()) is not None:
                    await pubsub.subscribe(meta_key(task_id))
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            # Before Python 3.12 a cancellation can get lost in `asyncio.wait_for`, with which redis-py sends.
            raise asyncio.CancelledError

    async def forget(self, task_id: str, future: "asyncio.Future[bytes]", *, watch: bool) -> None:
        """Wait no longer."""
        waiters = self._waiting[task_id]
        waiters.discard(future)
        if not waiters:
            del self._waiting[task_id]
        if future.done() and not future.cancelled():
            future.exception()
        if watch:
            self._watched[task_id] -= 1
            if not self._watched[task_id]:
                del self._watched[task_id]
                await self._stop_listening(task_id)

    async def _stop_listening(self, task_id: str) -> None:
        if (pubsub := self._connected()) is not None:
            with suppress(RedisError, OSError):
                await pubsub.unsubscribe(meta_key(task_id))

    def _connected(self) -> PubSub | None:
        """The subscription, where it can be sent to without connecting, which is for the reader alone."""
        if self._pubsub is None or self._pubsub.connection is None:
            return None
        return self._pubsub if self._pubsub.connection.is_connected else None

    async def _read(self) -> None:
        while True:
            self._heard_at = time.time()
            pubsub = self._client.pubsub(push_handler_func=_as_it_comes)
            try:
                await self._receive(pubsub)
            except (RedisError, OSError):
                self._subscribed.clear()
            finally:
                self._pubsub = None
                with suppress(RedisError, OSError):
                    await pubsub.aclose()  # type: ignore[no-untyped-call]
            await asyncio.sleep(SWEEP_SECONDS / 4)

    async def _receive(self, pubsub: PubSub) -> None:
        """Subscribe and resolve what comes; raises when the connection is lost."""
        watched = list(self._watched)
        await pubsub.subscribe(self.channel, *map(meta_key, watched))
        self._pubsub = pubsub
        if left := [meta_key(task_id) for task_id in watched if task_id not in self._watched]:
            await pubsub.unsubscribe(*left)  # their callers went while this connection came up
        while True:
            message = await pubsub.get_message(timeout=None)
            self._heard_at, self._probes = time.time(), 0
            self._subscribed.set()
            if message is not None and message["type"] == "message":
                document = bytes(message["data"])
                self._resolve(_task_id_of(message["channel"].decode(), document), document)

    async def _sweep(self) -> None:
        seen: set[str] = set()
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            overdue = [task_id for task_id in self._waiting if task_id in seen]
            seen = set(self._waiting)
            if overdue:
                with suppress(StoreUnavailable):
                    for task_id, meta in zip(overdue, await self._tasks.metas(overdue), strict=True):
                        if meta is not None:
                            self._resolve(task_id, meta)
            await self._probe()

    async def _probe(self) -> None:
        """Ask a silent connection for a sign of life, and end one that gives none."""
        pubsub = self._connected()
        if pubsub is None or 0 <= time.time() - self._heard_at < PROBE_SECONDS:
            return
        with suppress(RedisError, OSError):
            if self._probes >= PROBES:
                self._probes = 0
                connection: Any = pubsub.connection
                await connection.disconnect(nowait=True)
            else:
                self._probes += 1
                await pubsub.ping()

    def _resolve(self, task_id: str, meta: bytes) -> None:
        for future in self._waiting.get(task_id, ()):
            if not future.done():
                future.set_result(meta)


class Expected:
    """The context of `Replies.expect`; a class, for a generator costs every request twice as much."""

    def __init__(self, replies: Replies, task_id: str, *, watch: bool) -> None:
        self._replies, self._task_id, self._watch = replies, task_id, watch

    async def __aenter__(self) -> "asyncio.Future[bytes]":
        """Begin to wait."""
        self._future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        await self._replies.begin(self._task_id, self._future, watch=self._watch)
        return self._future

    async def __aexit__(self, *_: object) -> None:
        """Wait no longer."""
        await self._replies.forget(self._task_id, self._future, watch=self._watch)


async def _as_it_comes(pushed: Any) -> Any:
    """In place of redis-py's own handler, which writes every message out for a log, megabytes or not."""
    return pushed


def _task_id_of(channel: str, meta: bytes) -> str:
    """Task id of a published document: in the name of a watched channel, else its first member."""
    if channel.startswith(META_PREFIX):
        return channel.removeprefix(META_PREFIX)
    if meta.startswith(_TASK_ID):
        return meta[len(_TASK_ID) : meta.find(b'"', len(_TASK_ID))].decode()
    with suppress(ValueError, AttributeError):
        return str(json.loads(meta).get("task_id", ""))
    return ""
