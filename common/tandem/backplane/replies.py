"""The answers of a process's waiting callers: one channel, one reader, a future per caller.

A pub/sub message is only a hint that comes fast: what counts is the result in the store. So whoever has
waited for a second is looked up there too, every second, and a lost connection, a message sent while
nobody listened, or a function frozen between two requests costs at most that second.
"""

import asyncio
import json
import os
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import redis.asyncio
from redis.exceptions import RedisError

from tandem.backplane.errors import StoreUnavailable
from tandem.backplane.task_scripts import meta_key
from tandem.backplane.task_store import TaskStore

SWEEP_SECONDS = 1.0
WAITING_LIMIT = 20_000
_TASK_ID = b'{"task_id": "'


class Replies:
    """Waits for tasks to end, on one event loop. Owns its reader and its connection; `close` ends both."""

    def __init__(self, client: redis.asyncio.Redis, tasks: TaskStore) -> None:
        self._client = client
        self._tasks = tasks
        self.channel = f"tandem:replies:{os.getpid()}-{uuid.uuid4().hex[:12]}"
        """Where a worker publishes the result documents of callers waiting here."""
        self._waiting: dict[str, set[asyncio.Future[bytes]]] = {}
        self._subscribed = asyncio.Event()
        self._pubsub: redis.asyncio.client.PubSub | None = None
        self._readers: list[asyncio.Task[None]] = []

    @asynccontextmanager
    async def expect(self, task_id: str, *, watch: bool = False) -> AsyncIterator["asyncio.Future[bytes]"]:
        """Give a future of the task's result document (bytes), waited for with the caller's own deadline.

        `watch` is for tasks whose reply goes to another process: the store's own announcement is then
        listened to. Raises StoreUnavailable where too many wait already.
        """
        if len(self._waiting) >= WAITING_LIMIT:
            raise StoreUnavailable("Too many callers are waiting.")
        self._ensure_readers()
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(task_id, set()).add(future)
        try:
            await self._listen(meta_key(task_id) if watch else None)
            yield future
        finally:
            waiters = self._waiting.get(task_id, set())
            waiters.discard(future)
            if not waiters:
                self._waiting.pop(task_id, None)
                if watch and self._pubsub is not None:
                    with suppress(RedisError, OSError):
                        await self._pubsub.unsubscribe(meta_key(task_id))
            if future.done() and not future.cancelled():
                future.exception()

    async def close(self) -> None:
        """Stop reading and close the connection."""
        readers, self._readers = self._readers, []
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)
        if self._pubsub is not None:
            with suppress(RedisError, OSError):
                await self._pubsub.aclose()  # type: ignore[no-untyped-call]

    def _ensure_readers(self) -> None:
        if not self._readers or any(reader.done() for reader in self._readers):
            for reader in self._readers:
                reader.cancel()
            self._readers = [asyncio.create_task(self._read()), asyncio.create_task(self._sweep())]

    async def _listen(self, channel: str | None) -> None:
        # A subscription that does not come up in time is not waited for: the sweep finds the answer.
        with suppress(TimeoutError, RedisError, OSError):
            async with asyncio.timeout(SWEEP_SECONDS):
                await self._subscribed.wait()
                if channel is not None and self._pubsub is not None:
                    await self._pubsub.subscribe(channel)

    async def _read(self) -> None:
        while True:
            try:
                self._pubsub = self._client.pubsub(ignore_subscribe_messages=True)
                watched = [meta_key(task_id) for task_id in self._waiting]
                await self._pubsub.subscribe(self.channel, *watched)
                self._subscribed.set()
                while True:
                    message = await self._pubsub.get_message(timeout=None)
                    if message is not None:
                        self._resolve(bytes(message["data"]))
            except (RedisError, OSError):
                self._subscribed.clear()
                if self._pubsub is not None:
                    with suppress(RedisError, OSError):
                        await self._pubsub.aclose()  # type: ignore[no-untyped-call]
                await asyncio.sleep(SWEEP_SECONDS / 4)

    async def _sweep(self) -> None:
        seen: set[str] = set()
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            overdue = [task_id for task_id in self._waiting if task_id in seen]
            seen = set(self._waiting)
            if overdue:
                with suppress(StoreUnavailable):
                    for meta in await self._tasks.metas(overdue):
                        if meta is not None:
                            self._resolve(meta)

    def _resolve(self, meta: bytes) -> None:
        task_id = _task_id_of(meta)
        for future in self._waiting.get(task_id, ()):
            if not future.done():
                future.set_result(meta)


def _task_id_of(meta: bytes) -> str:
    """Task id of a result document: first member as we write it, anywhere in one that Lua wrote."""
    if meta.startswith(_TASK_ID):
        return meta[len(_TASK_ID) : meta.index(b'"', len(_TASK_ID))].decode()
    return str(json.loads(meta).get("task_id", ""))
