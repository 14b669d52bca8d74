"""A caller who leaves while an answer is waited for: noticed, so that nothing is done for nobody.

Lambda never says so; a server in a container or on a laptop does.
"""

import asyncio
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect
from starlette.types import Receive

UNWATCHED_SECONDS = 0.25
"""Most answers are there by then, and nobody needs to be watched for them."""

Answer = TypeVar("Answer")


async def unless_gone(receive: Receive, waited: "asyncio.Future[Answer]") -> Answer:
    """What `waited` gives or raises; raises ClientDisconnect where the caller leaves before.

    `receive` is the request's own, its body already read. `waited` goes on and stays its owner's to end.
    """
    await asyncio.wait({waited}, timeout=UNWATCHED_SECONDS)
    if not waited.done():
        leaving: asyncio.Future[Any] = asyncio.ensure_future(_left(receive))
        both: set[asyncio.Future[Any]] = {waited, leaving}
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
    if not waited.done():
        raise ClientDisconnect
    return waited.result()


async def answered(receive: Receive, waited: "asyncio.Future[Answer]", seconds: float) -> Answer:
    """As `unless_gone`, for a future that is the caller's own; raises TimeoutError when `seconds` are over.

    Both end `waited`, so that most requests cost one timer and nothing else.
    """
    watch = _Watch(receive, waited, seconds)
    try:
        return await waited
    finally:
        watch.end()


class _Watch:
    """Ends a future when its time is over or its caller has left. No closure: those leave cycles behind."""

    __slots__ = ("_give_up_at", "_leaving", "_loop", "_receive", "_timer", "_waited")

    def __init__(self, receive: Receive, waited: "asyncio.Future[Any]", seconds: float) -> None:
        self._receive, self._waited = receive, waited
        self._loop = asyncio.get_running_loop()
        self._give_up_at = self._loop.time() + seconds
        self._leaving: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = self._after(min(seconds, UNWATCHED_SECONDS))

    def end(self) -> None:
        """Watch no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._leaving is not None:
            self._leaving.cancel()

    def _after(self, seconds: float) -> asyncio.TimerHandle:
        return self._loop.call_later(seconds, self._look)

    def _look(self) -> None:
        if self._waited.done():
            return
        left = self._give_up_at - self._loop.time()
        if left <= 0:
            self._waited.set_exception(TimeoutError())
            return
        if self._leaving is None:
            self._leaving = self._loop.create_task(_left(self._receive))
            self._leaving.add_done_callback(lambda _: _end(self._waited))
        self._timer = self._after(left)


def _end(waited: "asyncio.Future[Answer]") -> None:
    if not waited.done():
        waited.set_exception(ClientDisconnect())


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
