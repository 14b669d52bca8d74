"""A clock for the store: as if so much time had passed, everything in it is made that much older."""

from typing import Any, cast

import redis

TIMES = (b"q", b"x", b"b", b"f")


def let_time_pass(client: redis.Redis, milliseconds: int) -> None:
    """Shorten the life of every key, drop those whose life is over, and date every record back."""
    keys: Any = client.keys("*")
    reading = client.pipeline(transaction=False)
    for key in keys:
        reading.pttl(key)
        if key.startswith(b"tandem:task:"):
            reading.hmget(key, *TIMES)
    found: Any = iter(reading.execute())
    writing = client.pipeline(transaction=False)
    for key in keys:
        left = next(found) - milliseconds
        times = next(found) if key.startswith(b"tandem:task:") else []
        if left <= 0:
            writing.delete(key)
            continue
        writing.pexpire(key, left)
        if times:
            known = {name: value for name, value in zip(TIMES, times, strict=True) if value is not None}
            earlier = {name: int(value) - milliseconds for name, value in known.items()}
            writing.hset(key, mapping=cast("Any", earlier))
    writing.execute()
