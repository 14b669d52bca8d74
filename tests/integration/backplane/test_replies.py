"""Whoever waits for a task gets its document: fast when all is well, and by looking it up when not."""

from __future__ import annotations

import asyncio
import json
import uuid
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tandem.backplane.errors import ModelError, StoreUnavailable
from tandem.backplane.replies import PROBE_SECONDS, Replies
from tandem.backplane.result_format import result_json_of, succeeded
from tandem.backplane.settings import Settings
from tandem.backplane.store import asynchronous_client, listening_client, synchronous_client
from tandem.backplane.task_attempts import Attempt, Delivery, TaskAttempts
from tandem.backplane.task_scripts import META_PREFIX
from tandem.backplane.task_store import TaskStore
from tests.faults.tcp_proxy import TcpProxy
from tests.integration.backplane.publishing import BOUND_SECONDS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    import redis

    from local.private_redis import PrivateRedis

ANSWER = b'{"match_id": 42}'


@dataclass
class Waiting:
    """A process that waits, and the worker it waits for."""

    replies: Replies
    tasks: TaskStore
    worker: TaskAttempts

    def run(self, task_id: str, *, reply_to: str | None = None, error: ModelError | None = None) -> None:
        """Run a task from its start to its end, as a worker does."""
        channel = self.replies.channel if reply_to is None else reply_to
        [attempt] = self.worker.start([Delivery(task_id, accepted=not channel, reply_to=channel)])
        assert isinstance(attempt, Attempt)
        assert self.worker.finish([(attempt, error or ANSWER)]) == [True]

    async def answer(self, task_id: str, *, watch: bool = False) -> bytes:
        """What comes for a task that somebody else runs."""
        async with asyncio.timeout(BOUND_SECONDS), self.replies.expect(task_id, watch=watch) as document:
            return await document


@pytest.fixture
def proxy(own_redis: PrivateRedis) -> Iterator[TcpProxy]:
    """What lies between the waiting process and the store."""
    with TcpProxy(own_redis.port) as made:
        yield made


@pytest.fixture
def client(own_redis: PrivateRedis) -> Iterator[redis.Redis]:
    """A client of the store itself, empty at first."""
    with synchronous_client(own_redis.url) as made:
        made.flushdb()
        yield made


@asynccontextmanager
async def waiting(proxy: TcpProxy, client: redis.Redis, own_redis: PrivateRedis) -> AsyncIterator[Waiting]:
    """A process that waits, through the proxy."""
    given = Settings(redis_url=proxy.of(own_redis.url))
    async with asynchronous_client(given.redis_url) as connected:
        tasks = TaskStore(connected, given)
        replies = Replies(listening_client(given.redis_url), tasks)
        try:
            yield Waiting(replies, tasks, TaskAttempts(client, given))
        finally:
            await replies.close()


@pytest.fixture
def process(proxy: TcpProxy, client: redis.Redis, own_redis: PrivateRedis) -> Any:
    """Make such a process."""
    return lambda: waiting(proxy, client, own_redis)


@pytest.fixture
def no_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is looked up: what comes has been announced."""

    async def never(_self: Replies) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(Replies, "_sweep", never)


def channels(client: redis.Redis) -> list[bytes]:
    """What somebody is subscribed to."""
    found: list[bytes] = client.pubsub_channels()  # type: ignore[assignment]
    return found


def new_id() -> str:
    """A task id."""
    return str(uuid.uuid4())


@pytest.mark.usefixtures("no_sweep")
def test_an_answer_is_announced(process: Any) -> None:
    """The document, success or failure, as the worker wrote it; for one caller or several."""

    async def wait() -> None:
        async with process() as here:
            task_id, other = new_id(), new_id()
            async with here.replies.expect(task_id) as first, here.replies.expect(task_id) as second:
                await asyncio.to_thread(here.run, task_id)
                assert result_json_of(await first) == result_json_of(await second) == ANSWER
            async with here.replies.expect(other) as document:
                await asyncio.to_thread(here.run, other, error=ModelError("It raised."))
                assert not succeeded(await document)
                assert json.loads(await document)["problem"]["detail"] == "It raised."

    asyncio.run(wait())


@pytest.mark.usefixtures("no_sweep")
def test_a_watched_task_is_announced_by_the_store(process: Any, client: redis.Redis) -> None:
    """Its reply goes elsewhere; nobody listens any longer than somebody waits."""

    async def wait() -> None:
        async with process() as here:
            ended, canceled = new_id(), new_id()
            await here.tasks.accept(canceled, 60)
            async with here.replies.expect(ended, watch=True) as one:
                async with here.replies.expect(ended, watch=True), here.replies.expect(ended):
                    pass
                await asyncio.to_thread(here.run, ended, reply_to="")
                assert result_json_of(await one) == ANSWER
            async with here.replies.expect(canceled, watch=True) as two:
                await here.tasks.cancel(canceled)
                assert json.loads(await two)["status"] == "REVOKED"
            await asyncio.sleep(0.1)
            assert channels(client) == [here.replies.channel.encode()]
            assert here.replies._waiting == {}
            assert not here.replies._watched

    asyncio.run(wait())


def test_an_answer_that_was_never_announced_is_found(process: Any) -> None:
    """Published while nobody listened, or not at all."""

    async def wait() -> None:
        async with process() as here:
            before, between = new_id(), new_id()
            await asyncio.to_thread(here.run, before)
            assert result_json_of(await here.answer(before)) == ANSWER
            async with here.replies.expect(between) as document:
                await asyncio.to_thread(here.run, between, reply_to="tandem:replies:another")
                assert result_json_of(await document) == ANSWER

    asyncio.run(wait())


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


def test_thousands_wait_on_one_connection(process: Any, client: redis.Redis) -> None:
    """Each gets its own; nothing is left behind."""

    async def wait() -> None:
        async with process() as here:
            wanted = [new_id() for _ in range(3000)]
            waiters = [asyncio.create_task(here.answer(task_id)) for task_id in wanted]
            await asyncio.sleep(0.1)
            deliveries = [Delivery(one, accepted=False, reply_to=here.replies.channel) for one in wanted]
            attempts = await asyncio.to_thread(here.worker.start, deliveries)
            answers = [(one, json.dumps(one.delivery.task_id).encode()) for one in attempts]
            await asyncio.to_thread(here.worker.finish, answers)
            documents = await asyncio.gather(*waiters)
            assert [json.loads(result_json_of(one)) for one in documents] == wanted
            assert here.replies._waiting == {}
            assert len(client.client_list(_type="pubsub")) == 1

    asyncio.run(wait())


def test_callers_that_leave_leave_nothing_behind(process: Any, client: redis.Redis) -> None:
    """Canceled before, while and after they are subscribed, watching or not."""

    async def wait() -> None:
        async with process() as here:
            for moment in (0, 0, 0.001, 0.01, 0.1):
                waiters = [
                    asyncio.create_task(here.answer(new_id(), watch=bool(number % 2))) for number in range(50)
                ]
                await asyncio.sleep(moment)
                for waiter in waiters:
                    waiter.cancel()
                assert all(
                    isinstance(one, asyncio.CancelledError)
                    for one in await asyncio.gather(*waiters, return_exceptions=True)
                )
            assert here.replies._waiting == {}
            assert not here.replies._watched
            task_id = new_id()
            async with here.replies.expect(task_id) as document:
                await asyncio.to_thread(here.run, task_id)
                await document
            assert channels(client) == [here.replies.channel.encode()]

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


def test_closing_refuses_whoever_still_waits(process: Any, client: redis.Redis) -> None:
    """And leaves no connection; a process that goes on waits anew."""

    async def wait() -> None:
        async with process() as here:
            async with here.replies.expect(new_id()) as document:
                await here.replies.close()
                with pytest.raises(StoreUnavailable, match="about to end"):
                    await document
            for _ in range(100):
                if not client.client_list(_type="pubsub"):
                    break
                await asyncio.sleep(0.05)
            assert client.client_list(_type="pubsub") == []
            task_id = new_id()
            async with here.replies.expect(task_id) as again:
                await asyncio.to_thread(here.run, task_id)
                assert result_json_of(await again) == ANSWER

    asyncio.run(wait())


def test_closing_what_was_never_used_is_nothing(process: Any) -> None:
    """Nor is closing twice."""

    async def wait() -> None:
        async with process() as here:
            await here.replies.close()
            await here.replies.close()

    asyncio.run(wait())


def test_more_than_can_wait_are_refused(process: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, and those who wait already are not disturbed."""
    monkeypatch.setattr("tandem.backplane.replies.WAITING_LIMIT", 2)

    async def wait() -> None:
        async with process() as here:
            task_id = new_id()
            async with here.replies.expect(new_id()), here.replies.expect(task_id) as document:
                with pytest.raises(StoreUnavailable, match="Too many"):
                    await here.answer(new_id())
                await asyncio.to_thread(here.run, task_id)
                assert result_json_of(await document) == ANSWER

    asyncio.run(wait())
