"""Whatever happens to the subscription or to the store: whoever waits gets its document all the same."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tandem.backplane.replies import PROBE_SECONDS
from tandem.backplane.result_format import result_json_of
from tandem.backplane.task_scripts import META_PREFIX
from tests.integration.backplane.publishing import BOUND_SECONDS
from tests.integration.backplane.waiting import ANSWER, channels, new_id

if TYPE_CHECKING:
    import redis

    from local.private_redis import PrivateRedis
    from tests.faults.tcp_proxy import TcpProxy


def test_a_lost_subscription_loses_no_answer(process: Any, client: redis.Redis) -> None:
    """It is made again, with what is watched; what came in between is looked up."""

    async def wait() -> None:
        async with process() as here:
            during, watched, after = new_id(), new_id(), new_id()
            async with here.replies.expect(during) as one, here.replies.expect(watched, watch=True) as two:
                assert client.client_kill_filter(_type="pubsub") == 1
                await asyncio.to_thread(here.run, during)
                assert result_json_of(await one) == ANSWER
                for _ in range(100):
                    if len(channels(client)) == 2:
                        break
                    await asyncio.sleep(0.05)
                assert sorted(channels(client)) == sorted(
                    [here.replies.channel.encode(), (META_PREFIX + watched).encode()]
                )
                await asyncio.to_thread(here.run, watched, reply_to="")
                assert result_json_of(await two) == ANSWER
            async with here.replies.expect(after) as three:
                await asyncio.to_thread(here.run, after)
                assert result_json_of(await three) == ANSWER

    asyncio.run(wait())


def test_a_store_that_is_killed_and_comes_back(
    process: Any, client: redis.Redis, own_redis: PrivateRedis
) -> None:
    """Whoever waited through it gets its answer all the same."""

    async def wait() -> None:
        async with process() as here:
            task_id, later = new_id(), new_id()
            async with here.replies.expect(task_id) as one, here.replies.expect(later) as two:
                await asyncio.to_thread(own_redis.kill)
                await asyncio.sleep(0.5)
                await asyncio.to_thread(own_redis.start)
                await asyncio.to_thread(here.run, task_id)
                await asyncio.to_thread(here.run, later)
                async with asyncio.timeout(BOUND_SECONDS):
                    assert result_json_of(await one) == result_json_of(await two) == ANSWER

    asyncio.run(wait())


def test_a_store_that_is_away_keeps_nobody_from_waiting(process: Any, proxy: TcpProxy) -> None:
    """Waiting begins, and the answer comes when the store does."""

    async def wait() -> None:
        async with process() as here:
            proxy.refuse()
            task_id = new_id()
            async with here.replies.expect(task_id, watch=True) as document:
                await asyncio.to_thread(here.run, task_id)
                proxy.pass_on()
                async with asyncio.timeout(BOUND_SECONDS):
                    assert result_json_of(await document) == ANSWER

    asyncio.run(wait())


def test_a_subscription_into_a_black_hole_is_given_up(
    process: Any, proxy: TcpProxy, monkeypatch: pytest.MonkeyPatch, client: redis.Redis
) -> None:
    """It says nothing, like one on which nothing happens; but it does not answer when asked either."""
    monkeypatch.setattr("tandem.backplane.replies.PROBE_SECONDS", 0.2)
    monkeypatch.setattr("tandem.backplane.replies.SWEEP_SECONDS", 0.2)

    async def wait() -> None:
        async with process() as here:
            async with here.replies.expect(new_id()):
                pass
            proxy.swallow_open_ones()
            first = here.replies._pubsub
            for _ in range(200):
                if here.replies._pubsub not in {None, first} and here.replies._is_listening():
                    break
                await asyncio.sleep(0.05)
            monkeypatch.setattr("tandem.backplane.replies.SWEEP_SECONDS", 3600)
            await asyncio.sleep(0.5)  # the last look-up before that is over
            task_id = new_id()
            async with here.replies.expect(task_id) as document:
                await asyncio.to_thread(here.run, task_id)
                async with asyncio.timeout(BOUND_SECONDS):
                    assert result_json_of(await document) == ANSWER

    asyncio.run(wait())


def test_an_idle_subscription_is_kept(process: Any, proxy: TcpProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound on other answers of the store is none on this one: it is asked, answers, and stays."""
    monkeypatch.setattr("tandem.backplane.replies.PROBE_SECONDS", 0.1)
    monkeypatch.setattr("tandem.backplane.replies.SWEEP_SECONDS", 0.1)
    monkeypatch.setattr("tandem.backplane.store.ANSWER_SECONDS", 0.2)

    async def wait() -> None:
        async with process() as here:
            async with here.replies.expect(new_id()):
                pass
            connections, first = proxy.accepted, here.replies._pubsub
            heard_at = here.replies._heard_at
            await asyncio.sleep(1.5)
            assert here.replies._heard_at > heard_at
            assert (proxy.accepted, here.replies._pubsub) == (connections, first)

    asyncio.run(wait())


@pytest.mark.usefixtures("no_sweep")
def test_after_a_freeze_the_subscription_is_asked_first(process: Any, proxy: TcpProxy) -> None:
    """A function that stood still may have lost it without a word: alive, it serves on."""

    async def wait() -> None:
        async with process() as here:
            async with here.replies.expect(new_id()):
                pass
            connections = proxy.accepted
            here.replies._heard_at -= 3 * PROBE_SECONDS
            task_id = new_id()
            async with here.replies.expect(task_id) as document:
                assert here.replies._is_listening()
                await asyncio.to_thread(here.run, task_id)
                assert result_json_of(await document) == ANSWER
            # One for the look-ups, which are made by the worker here, and one for the subscription.
            assert proxy.accepted == connections

    asyncio.run(wait())


def test_after_a_freeze_a_lost_subscription_costs_no_answer(process: Any, proxy: TcpProxy) -> None:
    """Not heard of any more, it is looked up instead."""

    async def wait() -> None:
        async with process() as here:
            async with here.replies.expect(new_id()):
                pass
            here.replies._heard_at -= 3 * PROBE_SECONDS
            proxy.swallow_open_ones()
            task_id = new_id()
            async with here.replies.expect(task_id) as document:
                await asyncio.to_thread(here.run, task_id)
                async with asyncio.timeout(BOUND_SECONDS):
                    assert result_json_of(await document) == ANSWER

    asyncio.run(wait())


def test_nonsense_on_the_channels_harms_nobody(process: Any, client: redis.Redis) -> None:
    """Whoever may publish can write there; whoever waits goes on waiting."""

    async def wait() -> None:
        async with process() as here:
            task_id = new_id()
            async with here.replies.expect(task_id, watch=True) as document:
                for nonsense in (b"", b"{", b'{"task_id": "', b"[]", b"\xff", b'{"task_id": 7}', b"null"):
                    client.publish(here.replies.channel, nonsense)
                await asyncio.sleep(0.1)
                assert not any(reader.done() for reader in here.replies._readers)
                await asyncio.to_thread(here.run, task_id)
                assert result_json_of(await document) == ANSWER

    asyncio.run(wait())
