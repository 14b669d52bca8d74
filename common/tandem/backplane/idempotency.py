"""Idempotency-Key: one key and one body make one task, however often they are sent.

A row per caller, route and key is taken before anything is accepted and holds the task id from then on, so
that a repetition after a crash or a doubtful publish goes on with the same id, which the lifecycle makes
harmless. Source: draft-ietf-httpapi-idempotency-key-header.
"""

import base64
import hashlib
import json
import re
import time
from dataclasses import dataclass

import redis.asyncio
from redis.exceptions import NoScriptError

from tandem.backplane.errors import InvalidRequest, RequestInProgress
from tandem.backplane.store import store_errors
from tandem.backplane.task_scripts import Script

TTL_SECONDS = 24 * 3600
HELD_MS = 60_000
"""How long a row counts as being accepted; a process that died in between is then taken over from."""

_KEY = re.compile(r"[\x21-\x7e]{1,255}")

_CLAIM = Script("""
-- ARGV: fingerprint, task id, now ms, held ms, ttl s.
-- Gives {"claimed", id}, {"held"}, {"other"} or {"done", answer}.
local known = redis.call('HMGET', KEYS[1], 'fingerprint', 'task', 'since', 'answer')
if known[1] and known[1] ~= ARGV[1] then return {'other'} end
if known[4] then return {'done', known[4]} end
if known[3] and tonumber(known[3]) + tonumber(ARGV[4]) > tonumber(ARGV[3]) then return {'held'} end
redis.call('HSET', KEYS[1], 'fingerprint', ARGV[1], 'task', known[2] or ARGV[2], 'since', ARGV[3])
redis.call('EXPIRE', KEYS[1], ARGV[5])
return {'claimed', known[2] or ARGV[2]}
""")


@dataclass(frozen=True)
class StoredAnswer:
    """The first answer to a key, to be given again."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Claim:
    """The right to accept the work of a key, under this task id."""

    row: str
    task_id: str


def checked_key(header: str) -> str:
    """Give the key of a header back; raises InvalidRequest unless it is 1 to 255 visible characters."""
    key = header.strip().strip('"')
    if _KEY.fullmatch(key) is None:
        raise InvalidRequest([{"loc": ["Idempotency-Key"], "msg": "must be 1 to 255 visible characters"}])
    return key


class IdempotencyStore:
    """Idempotency rows in Redis. Every method raises StoreUnavailable when Redis does not answer."""

    def __init__(self, client: redis.asyncio.Redis) -> None:
        self._client = client

    async def claim(
        self, *, owner: str, route: str, key: str, body: bytes, task_id: str
    ) -> Claim | StoredAnswer:
        """Take the row, or give the first answer again.

        Raises RequestInProgress while the first is still being accepted, InvalidRequest where the key
        came with another body before.
        """
        name = hashlib.sha256(f"{owner}\0{route}\0{key}".encode()).hexdigest()
        row = f"tandem:idempotency:{name}"
        fingerprint = hashlib.sha256(body).hexdigest()
        args = (fingerprint, task_id, int(time.time() * 1000), HELD_MS, TTL_SECONDS)
        with store_errors():
            try:
                word, *rest = await self._client.evalsha(_CLAIM.sha, 1, row, *args)
            except NoScriptError:
                word, *rest = await self._client.eval(_CLAIM.text, 1, row, *args)
        if word == b"other":
            raise InvalidRequest(
                [{"loc": ["Idempotency-Key"], "msg": "was used with another body before"}],
                "This Idempotency-Key belongs to another request.",
            )
        if word == b"held":
            raise RequestInProgress
        if word == b"done":
            return _stored(rest[0])
        return Claim(row, rest[0].decode())

    async def complete(self, claim: Claim, answer: StoredAnswer) -> None:
        """Keep the answer, to be given again for a day."""
        text = json.dumps([answer.status, answer.headers, base64.b64encode(answer.body).decode("ascii")])
        with store_errors():
            await self._client.hset(claim.row, "answer", text)

    async def release(self, claim: Claim, *, keep_task_id: bool) -> None:
        """Let a repetition try again: under the same id where the first publish is in doubt."""
        with store_errors():
            if keep_task_id:
                await self._client.hdel(claim.row, "since")
            else:
                await self._client.delete(claim.row)


def _stored(text: bytes) -> StoredAnswer:
    status, headers, body = json.loads(text)
    return StoredAnswer(status, headers, base64.b64decode(body))
