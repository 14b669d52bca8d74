"""Taking a message off its list on Redis so that it lies somewhere at every moment.

BRPOP and RPOP take an item out first; kombu notes it as delivered afterwards, and a worker that is killed in
between, or cut off before it has read the answer, has lost it. Here one script takes the item and lays it
into a slot; the note empties the slot in the same transaction (`worker/redis_transport.py`). A slot that
stays full is a dead worker's, and its item goes back. An item may so come twice, which the lifecycle fences.
Items are moved as they are and read by nobody here: anybody can push anything.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import redis

from tandem.backplane.store import store_errors
from tandem.backplane.task_scripts import Script

ITEMS = "tandem:fetched"
"""Slot to item. A slot is named by its number and the list it came from."""
TIMES = "tandem:fetched:index"
"""Slots by when they were filled: seconds, by Redis's clock."""
NUMBER = "tandem:fetched:number"
PUT_BACK_AT_ONCE = 100

_TAKE = Script("""
-- KEYS: items, times, number, then lists in the order of serving. Gives slot, list and item, or nothing.
for i = 4, #KEYS do
    if redis.call('LLEN', KEYS[i]) > 0 then
        -- First what a full Redis refuses: later in a script it refuses nothing.
        local slot = redis.call('INCR', KEYS[3]) .. ' ' .. KEYS[i]
        local item = redis.call('RPOP', KEYS[i])
        redis.call('HSET', KEYS[1], slot, item)
        redis.call('ZADD', KEYS[2], redis.call('TIME')[1], slot)
        return {slot, KEYS[i], item}
    end
end
""")

_PUT_BACK = Script("""
-- KEYS: items, times. ARGV: age in s, how many. Puts back what is older, to be served next; gives how many.
local before = redis.call('TIME')[1] - ARGV[1]
local slots = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', before, 'LIMIT', 0, ARGV[2])
for _, slot in ipairs(slots) do
    local item = redis.call('HGET', KEYS[1], slot)
    if item then redis.call('RPUSH', string.match(slot, '^%d+ (.*)$'), item) end
    redis.call('HDEL', KEYS[1], slot)
    redis.call('ZREM', KEYS[2], slot)
end
return #slots
""")


class Taken(NamedTuple):
    """An item in hand, and the slot in which it lies until it is noted."""

    slot: bytes
    queue: bytes
    item: bytes


def take(client: redis.Redis, queues: Sequence[str]) -> Taken | None:
    """Take the next item of the first list that has one; raises the client's own errors."""
    keys = (ITEMS, TIMES, NUMBER, *queues)
    try:
        taken: Any = client.evalsha(_TAKE.sha, len(keys), *keys)
    except redis.exceptions.NoScriptError:  # Redis has been started anew
        taken = client.eval(_TAKE.text, len(keys), *keys)
    return Taken(*taken) if taken else None


def let_go(pipe: redis.client.Pipeline, slot: bytes) -> None:
    """Empty a slot, with the rest of the pipeline."""
    pipe.hdel(ITEMS, slot)
    pipe.zrem(TIMES, slot)


def put_back(client: redis.Redis, older_than_seconds: int) -> int:
    """Put what lies in slots for longer back into its lists, and say how much; raises TandemError."""
    with store_errors():
        return int(client.eval(_PUT_BACK.text, 2, ITEMS, TIMES, older_than_seconds, PUT_BACK_AT_ONCE))
