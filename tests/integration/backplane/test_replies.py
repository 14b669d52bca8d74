"""Whoever waits for a task gets its document, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from tandem.backplane.errors import ModelError, StoreUnavailable
from tandem.backplane.result_format import result_json_of, succeeded
from tandem.backplane.task_attempts import Delivery
from tests.integration.backplane.waiting import ANSWER, channels, new_id

if TYPE_CHECKING:
    import redis


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
