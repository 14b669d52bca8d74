"""Waiting for an answer for as long as somebody is there to have it."""

from __future__ import annotations

import asyncio
import gc

import pytest
from starlette.requests import ClientDisconnect

from tandem.backplane import disconnects
from tandem.backplane.disconnects import answered, unless_gone


class Caller:
    """A caller's side of one connection, its body already sent; `leave` ends it."""

    def __init__(self) -> None:
        self._gone = asyncio.Event()

    async def receive(self) -> dict[str, str]:
        """ASGI's receive."""
        await self._gone.wait()
        return {"type": "http.disconnect"}

    def leave(self) -> None:
        """Close the connection."""
        self._gone.set()


@pytest.mark.parametrize("unwatched", [0.0, 5.0])
def test_the_answer_is_given_to_who_waits(monkeypatch: pytest.MonkeyPatch, unwatched: float) -> None:
    """Whether it comes at once or later."""
    monkeypatch.setattr(disconnects, "UNWATCHED_SECONDS", unwatched)

    async def run() -> bytes:
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(0.02, answer.set_result, b"done")
        return await unless_gone(Caller().receive, answer)

    assert asyncio.run(run()) == b"done"


def test_what_is_raised_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure is an answer too."""
    monkeypatch.setattr(disconnects, "UNWATCHED_SECONDS", 0.0)

    async def run() -> None:
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(0.02, answer.set_exception, LookupError("no"))
        await unless_gone(Caller().receive, answer)

    with pytest.raises(LookupError, match="no"):
        asyncio.run(run())


def test_who_leaves_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait ends, what was waited for goes on, and nothing is left behind."""
    monkeypatch.setattr(disconnects, "UNWATCHED_SECONDS", 0.0)

    async def run() -> None:
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        caller = Caller()
        asyncio.get_running_loop().call_later(0.02, caller.leave)
        with pytest.raises(ClientDisconnect):
            await unless_gone(caller.receive, answer)
        assert not answer.cancelled()

    asyncio.run(run())


def test_a_wait_that_is_cancelled_leaves_no_watcher(monkeypatch: pytest.MonkeyPatch) -> None:
    """As at a deadline."""
    monkeypatch.setattr(disconnects, "UNWATCHED_SECONDS", 0.0)

    async def run() -> None:
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await unless_gone(Caller().receive, answer)
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(run())


@pytest.mark.parametrize("unwatched", [0.0, 5.0])
def test_an_answer_in_time_is_given(monkeypatch: pytest.MonkeyPatch, unwatched: float) -> None:
    """Or what it raises, watched or not, and no watcher is left."""
    monkeypatch.setattr(disconnects, "UNWATCHED_SECONDS", unwatched)

    async def run() -> None:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[bytes] = loop.create_future()
        loop.call_later(0.02, answer.set_result, b"done")
        assert await answered(Caller().receive, answer, 30) == b"done"
        failure: asyncio.Future[bytes] = loop.create_future()
        loop.call_later(0.02, failure.set_exception, LookupError("no"))
        with pytest.raises(LookupError, match="no"):
            await answered(Caller().receive, failure, 30)
        await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(run())


@pytest.mark.parametrize(("unwatched", "seconds"), [(0.0, 0.05), (0.02, 0.05), (5.0, 0.05), (5.0, 0.0)])
def test_a_wait_has_an_end(monkeypatch: pytest.MonkeyPatch, unwatched: float, seconds: float) -> None:
    """Whether or not its caller was watched by then."""
    monkeypatch.setattr(disconnects, "UNWATCHED_SECONDS", unwatched)

    async def run() -> None:
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        with pytest.raises(TimeoutError):
            await answered(Caller().receive, answer, seconds)
        await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(run())


def test_who_leaves_before_the_end_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait ends with the caller, long before its deadline."""
    monkeypatch.setattr(disconnects, "UNWATCHED_SECONDS", 0.0)

    async def run() -> None:
        caller = Caller()
        loop = asyncio.get_running_loop()
        loop.call_later(0.02, caller.leave)
        with pytest.raises(ClientDisconnect):
            await answered(caller.receive, loop.create_future(), 3_600)

    asyncio.run(run())


def test_waiting_leaves_nothing_to_the_garbage_collector() -> None:
    """Cycles of every request would have it look through everything again and again."""

    async def run() -> int:
        loop = asyncio.get_running_loop()
        gc.collect()
        for _ in range(100):
            answer: asyncio.Future[bytes] = loop.create_future()
            loop.call_soon(answer.set_result, b"done")
            await answered(Caller().receive, answer, 5)
        return gc.collect()

    gc.disable()
    try:
        assert asyncio.run(run()) < 100
    finally:
        gc.enable()
