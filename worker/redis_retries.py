"""Pauses before another try on a broker that has none: Redis keeps no message back for a while.

What waits stands in a sorted set by when it is due. A thread in each worker's main process moves what is due
to its lane; it takes a lease on it first, so that a mover that dies leaves it to another.
"""

import json
import logging
import threading
from collections.abc import Sequence

import redis

from tandem.backplane.broker import BrokerConnection
from tandem.backplane.errors import QueueFull, TandemError
from tandem.backplane.message import Message
from tandem.backplane.settings import Settings
from tandem.backplane.store import store_errors, synchronous_client
from tandem.backplane.task_scripts import Script
from tandem.backplane.topology import HIGH
from tandem.backplane.topology import REDIS_RETRIES as KEY
from worker.celery_config import visibility_seconds
from worker.redis_slots import put_back

TTL_SECONDS = 8 * 24 * 3600
"""A day over the longest life of a task."""
LEASE_MS = 30_000
MOVED_AT_ONCE = 100
LOOK_SECONDS = 0.5

log = logging.getLogger(__name__)

_PUT = Script("""
-- ARGV: most there may be, ttl s, then pairs of pause ms and message. Gives 1, or 0 where there is no room.
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[1]) then return 0 end
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
for i = 3, #ARGV, 2 do redis.call('ZADD', KEYS[1], now + ARGV[i], ARGV[i + 1]) end
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1
""")

_DUE = Script("""
-- ARGV: lease ms, how many. Gives what is due, and keeps it from others for the lease.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[2])
for _, message in ipairs(due) do redis.call('ZADD', KEYS[1], now + ARGV[1], message) end
return due
""")


def put_off(settings: Settings, messages: Sequence[Message]) -> None:
    """Keep messages back, each for its `expiration_seconds`; raises StoreUnavailable or QueueFull."""
    pairs = [
        part
        for message in messages
        for part in (round((message.expiration_seconds or 0) * 1000), _packed(message))
    ]
    client = synchronous_client(settings.broker_url)
    try:
        with store_errors():
            taken = client.eval(_PUT.text, 1, KEY, settings.queue_max_length, TTL_SECONDS, *pairs)
    finally:
        client.close()
    if not taken:
        raise QueueFull


def move_due(settings: Settings, client: redis.Redis) -> int:
    """Put what is due into its lane and say how much it was; raises TandemError, and nothing is lost."""
    with store_errors():
        due = client.eval(_DUE.text, 1, KEY, LEASE_MS, MOVED_AT_ONCE)
    if not due:
        return 0
    connection = BrokerConnection(settings.broker_url, settings.queue_max_length)
    try:
        messages = [_unpacked(packed) for packed in due]
        refused = connection.publish(messages)
    finally:
        connection.close()
    moved = [p for p, message in zip(due, messages, strict=True) if message.task_id not in refused]
    if moved:
        with store_errors():
            client.zrem(KEY, *moved)
    return len(moved)


class RetryMover(threading.Thread):
    """Moves what is due, and what a dead worker had taken, until stopped. Owns its connection."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(name="retry-mover", daemon=True)
        self._settings = settings
        self._client = synchronous_client(settings.broker_url)
        self._stopping = threading.Event()

    def run(self) -> None:
        """Look twice a second, through every outage."""
        away = False
        while not self._stopping.wait(LOOK_SECONDS):
            try:
                put_back(self._client, visibility_seconds(self._settings))
                while move_due(self._settings, self._client) == MOVED_AT_ONCE:
                    pass
                away = False
            except TandemError as error:
                if not away:
                    log.warning("What waits to be tried again is not moved at present: %s", error)
                away = True
        self._client.close()

    def stop(self) -> None:
        """Ask the thread to end and wait for it."""
        self._stopping.set()
        self.join(LOOK_SECONDS * 4)


def _packed(message: Message) -> str:
    return json.dumps([message.task_id, message.body.decode(), dict(message.headers)])


def _unpacked(packed: bytes) -> Message:
    task_id, body, headers = json.loads(packed)
    return Message(task_id, HIGH, body.encode(), headers, durable=True)
