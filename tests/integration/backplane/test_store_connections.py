"""A connection to the store that was lost while nobody used it costs nothing, on either event loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tandem.backplane.store import asynchronous_client
from tests.faults.tcp_proxy import TcpProxy

if TYPE_CHECKING:
    from local.private_redis import PrivateRedis


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_reset_idle_connection_is_replaced(loop: str, redis_server: PrivateRedis) -> None:
    """As after a load balancer's reset: the next command opens another, and its caller sees nothing."""
    factory = asyncio.new_event_loop if loop == "asyncio" else pytest.importorskip(loop).new_event_loop

    async def answers(proxy: TcpProxy) -> list[bool]:
        client = asynchronous_client(proxy.of(redis_server.url))
        given = [bool(await client.ping())]
        for _ in range(3):
            await asyncio.to_thread(proxy.reset)
            await asyncio.sleep(0.02)
            given.append(bool(await client.ping()))
        await client.aclose()
        return given

    with TcpProxy(redis_server.port) as proxy, asyncio.Runner(loop_factory=factory) as runner:
        assert runner.run(answers(proxy)) == [True] * 4
