"""Connections to Redis: bounded waits, one retry, and one error for whatever goes wrong.

Functions use the asynchronous client, the worker and the models the synchronous one.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

import redis
import redis.asyncio
from redis.backoff import ConstantBackoff, NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.retry import Retry

from tandem.backplane.errors import StoreUnavailable

CONNECT_SECONDS = 1.0
ANSWER_SECONDS = 2.0
TAKE_BACK_SECONDS = 0.4
"""A refusal is due within 5 s, of which the broker may have taken 4.5."""
POOL_CONNECTIONS = 32
"""Connections a process opens at most; a caller that finds none free waits ANSWER_SECONDS, then 503."""

TRIED_AGAIN = (RedisConnectionError,)
"""Only a connection that was lost: a store that hangs would take the second try's time as well."""


def _options() -> dict[str, Any]:
    return {
        "socket_connect_timeout": CONNECT_SECONDS,
        "socket_timeout": ANSWER_SECONDS,
        "socket_keepalive": True,
        "health_check_interval": 15,
        "driver_info": None,  # two commands of every connection, and 2 ms for finding out the version
    }


class _ClosedIsLost:
    """A connection of redis-py's for event loops that say RuntimeError where asyncio's own says OSError.

    uvloop does so of a connection that was reset while it was idle; redis-py would neither try again nor call
    it an error of Redis.
    """

    async def send_packed_command(self, *args: Any, **kwargs: Any) -> None:
        """Send; raises Redis's ConnectionError where the connection has been closed."""
        try:
            await super().send_packed_command(*args, **kwargs)  # type: ignore[misc]
        except RuntimeError as error:
            raise RedisConnectionError("The connection was closed.") from error


def _told(pool: redis.asyncio.ConnectionPool) -> redis.asyncio.ConnectionPool:
    """The same pool, of connections that tell when they are lost."""
    kind = pool.connection_class
    pool.connection_class = type(kind.__name__, (_ClosedIsLost, kind), {})
    return pool


def synchronous_client(url: str) -> redis.Redis:
    """A client for worker processes and command lines; the caller closes it."""
    pool = redis.BlockingConnectionPool.from_url(
        url,
        **_options(),
        retry=Retry(ConstantBackoff(0.1), 1, supported_errors=TRIED_AGAIN),
        max_connections=POOL_CONNECTIONS,
        timeout=ANSWER_SECONDS,
    )
    return redis.Redis.from_pool(pool)  # which, unlike a pool passed on, `close` closes


def asynchronous_client(url: str) -> redis.asyncio.Redis:
    """A client for one event loop; the caller closes it."""
    pool = redis.asyncio.BlockingConnectionPool.from_url(
        url,
        **_options(),
        retry=redis.asyncio.retry.Retry(ConstantBackoff(0.1), 1, supported_errors=TRIED_AGAIN),
        max_connections=POOL_CONNECTIONS,
        timeout=ANSWER_SECONDS,
    )
    return redis.asyncio.Redis.from_pool(_told(pool))  # which, unlike a pool passed on, `aclose` closes


def listening_client(url: str) -> redis.asyncio.Redis:
    """A client for one subscription, whose reader alone reconnects; the caller closes it."""
    options = _options() | {"health_check_interval": 0}
    never = redis.asyncio.retry.Retry(NoBackoff(), 0, supported_errors=())
    client = redis.asyncio.Redis.from_url(url, **options, retry=never, max_connections=2)
    _told(client.connection_pool)
    return client


@contextmanager
def store_errors() -> Iterator[None]:
    """Turn whatever Redis or its socket raises into StoreUnavailable."""
    try:
        yield
    except (RedisError, OSError) as error:
        raise StoreUnavailable(f"The store did not answer ({type(error).__name__}).") from error


@asynccontextmanager
async def taking_back() -> AsyncIterator[None]:
    """Take back what a refusal leaves in the store, if that answers soon; otherwise it ends by its expiry."""
    with suppress(StoreUnavailable, TimeoutError):
        async with asyncio.timeout(TAKE_BACK_SECONDS):
            yield
