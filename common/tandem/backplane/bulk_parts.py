"""The parts of a job's result, as a worker sees them: where a chunk stands, a part more, the whole."""

from dataclasses import dataclass
from typing import Any, Literal

import redis
from redis.exceptions import NoScriptError

from tandem.backplane import bulk_scripts as scripts
from tandem.backplane.claim_check import MAX_BYTES
from tandem.backplane.settings import Settings
from tandem.backplane.store import store_errors
from tandem.backplane.task_scripts import Script

TASK = "predict_rows"
"""The Celery task of a chunk."""


def max_result_bytes(settings: Settings) -> int:
    """Bytes of a job's result at most: what a function can hand out, or with a bucket what that takes."""
    return MAX_BYTES if settings.payload_bucket else settings.max_inline_result_bytes


@dataclass(frozen=True)
class Chunk:
    """The rows `first` to `last` (not included) of a job of `total`; `cut` is how long its chunks are."""

    task_id: str
    first: int
    last: int
    total: int
    cut: int


@dataclass(frozen=True)
class Standing:
    """What to do about a chunk: `run` it from row `at` on, or why not.

    Its attempts are `spent`; its rows are `written`, or all of the job, which is then `complete`; the result
    is too `large`; the job has `ended`.
    """

    word: Literal["run", "spent", "written", "complete", "large", "ended"]
    at: int = 0


class BulkParts:
    """Parts in Redis. Every method raises StoreUnavailable when Redis does not answer."""

    def __init__(self, client: redis.Redis, settings: Settings) -> None:
        self._client = client
        self._max_attempts = settings.max_attempts
        self._max_result_bytes = max_result_bytes(settings)
        self._ttls = (settings.result_ttl_seconds * 1000, settings.gone_ttl_seconds * 1000)

    def begin(self, chunk: Chunk, mark: str) -> Standing:
        """Take a chunk up for one more attempt; repeated with the same `mark` it is the same attempt."""
        return self._run(scripts.BEGIN, chunk, chunk.first, chunk.last, chunk.cut, self._max_attempts, mark)

    def add(self, chunk: Chunk, at: int, length: int, predictions: bytes, errors: bytes) -> Standing:
        """Write the part of `length` rows at `at`, once: JSON of predictions and errors without brackets."""
        part = (at, length, predictions, errors, self._max_result_bytes)
        return self._run(scripts.ADD, chunk, chunk.first, chunk.last, *part)

    def assembled(self, chunk: Chunk) -> bytes | None:
        """The JSON of a complete job's result, from the parts' own bytes; None where they are gone."""
        with store_errors():
            parts: Any = self._client.hgetall(scripts.parts_key(chunk.task_id))
        order, at = [], 0
        while at < chunk.total:
            length = parts.get(b"l%d" % at)
            if length is None:
                return None
            order.append(at)
            at += int(length)
        predictions = b", ".join(parts[b"p%d" % row] for row in order)
        errors = b", ".join(parts[b"e%d" % row] for row in order if b"e%d" % row in parts)
        return b"".join((b'{"predictions": [', predictions, b'], "errors": [', errors, b"]}"))

    def drop(self, chunk: Chunk) -> None:
        """Delete the parts of a job that has ended."""
        with store_errors():
            self._client.delete(scripts.parts_key(chunk.task_id))

    def _run(self, script: Script, chunk: Chunk, *arguments: Any) -> Standing:
        keys = scripts.bulk_keys_of(chunk.task_id)
        given = (len(keys), *keys, *self._ttls, *arguments)
        reply: Any
        with store_errors():
            try:
                reply = self._client.evalsha(script.sha, *given)
            except NoScriptError:
                reply = self._client.eval(script.text, *given)
        word, *numbers = reply
        return Standing(word.decode(), *map(int, numbers[:1]))
