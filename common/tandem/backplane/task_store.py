"""The life of tasks, as the edge sees it: accept, read, cancel, stop waiting."""

import json
from typing import Any

import redis.asyncio
from redis.exceptions import NoScriptError

from tandem.backplane import task_scripts as scripts
from tandem.backplane.callers import ANONYMOUS
from tandem.backplane.errors import ResultGone, TaskNotFound
from tandem.backplane.result_format import kept_of, result_json_of, succeeded
from tandem.backplane.settings import Settings
from tandem.backplane.store import store_errors
from tandem.schemas.task import TaskRecord, TaskState


class TaskStore:
    """Task records in Redis. Every method raises StoreUnavailable when Redis does not answer.

    A task is its `owner`'s, who is anonymous where that is empty; to everybody else it does not exist.
    """

    def __init__(self, client: redis.asyncio.Redis, settings: Settings) -> None:
        self._client = client
        self._result_ttl = settings.result_ttl_seconds * 1000
        self._gone_ttl = settings.gone_ttl_seconds * 1000

    async def _run(self, script: scripts.Script, task_id: str, *args: object) -> Any:
        keys = scripts.keys_of(task_id)
        with store_errors():
            try:
                return await self._client.evalsha(script.sha, len(keys), *keys, *args)  # type: ignore[arg-type]
            except NoScriptError:
                return await self._client.eval(script.text, len(keys), *keys, *args)  # type: ignore[arg-type]

    async def accept(
        self, task_id: str, expires_in_seconds: int, total: int = 1, owner: str = ANONYMOUS
    ) -> bool:
        """Write the record of a task about to be published; False where the id is taken.

        It may have been taken by this very call, where a lost connection made it be sent twice.
        """
        ttls = (expires_in_seconds * 1000, self._result_ttl, self._gone_ttl)
        return bool(await self._run(scripts.ACCEPT, task_id, *ttls, total, owner))

    async def forget(self, task_id: str) -> None:
        """Take back an acceptance whose message the broker certainly refused."""
        await self._run(scripts.FORGET, task_id)

    async def read(self, task_id: str, owner: str = ANONYMOUS, document: bytes = b"") -> TaskRecord:
        """What is known now. Raises TaskNotFound, or ResultGone once the result is no longer kept.

        `document` is the success that the reader was told of: it may have megabytes, and is not read twice.
        """
        told = succeeded(document)
        given = (self._result_ttl, self._gone_ttl, owner, int(not told))
        fields, meta, gone = await self._run(scripts.READ, task_id, *given)
        if not fields:
            raise ResultGone if gone else TaskNotFound
        record = dict(zip(fields[::2], fields[1::2], strict=True))
        if told:
            meta = document
        if record[b"s"] == b"SUCCESS" and not meta:
            raise ResultGone  # deleted by a Celery client, with `AsyncResult(id).forget()`
        return _record(task_id, record, meta)

    async def cancel(self, task_id: str, owner: str = ANONYMOUS) -> bool:
        """Revoke a task that has not ended; whether this call did it. Raises as `read` does."""
        state, changed = await self._run(scripts.CANCEL, task_id, self._result_ttl, self._gone_ttl, owner)
        if not state:
            raise TaskNotFound
        if state == b"GONE":
            raise ResultGone
        return bool(changed)

    async def abandon(self, task_id: str, submitted_ms: int, owner: str = ANONYMOUS) -> bytes:
        """Stop waiting for a task: what has not started never will. Gives its document if it just ended."""
        given = (submitted_ms, self._result_ttl, self._gone_ttl, owner)
        _, meta = await self._run(scripts.ABANDON, task_id, *given)
        return bytes(meta)

    async def metas(self, task_ids: list[str]) -> list[bytes | None]:
        """The result documents of these tasks, None for each that has not ended."""
        with store_errors():
            found: list[Any] = await self._client.mget([scripts.meta_key(task_id) for task_id in task_ids])
        return found


def _record(task_id: str, fields: dict[bytes, bytes], meta: bytes) -> TaskRecord:
    def integer(name: bytes) -> int | None:
        return int(float(fields[name])) if name in fields else None

    state = TaskState(fields[b"s"].decode())
    result_json = result_json_of(meta) if state is TaskState.SUCCESS and succeeded(meta) else None
    kept = kept_of(result_json)
    return TaskRecord(
        task_id=task_id,
        state=state,
        submitted_ms=integer(b"q") or 0,
        started_ms=integer(b"b"),
        finished_ms=integer(b"f"),
        expires_ms=integer(b"x") or 0,
        attempts=integer(b"n") or 0,
        done=integer(b"d"),
        total=integer(b"t"),
        result_json=None if kept else result_json,
        kept=kept,
        error=json.loads(fields[b"e"]) if b"e" in fields else None,
    )
