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
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + seconds
    leaving: asyncio.Task[None] | None = None
    timer: asyncio.TimerHandle

    def look() -> None:
        nonlocal timer, leaving
        if waited.done():
            return
        left = give_up_at - loop.time()
        if left <= 0:
            waited.set_exception(TimeoutError())
            return
        if leaving is None:
            leaving = loop.create_task(_left(receive))
            leaving.add_done_callback(lambda _: _end(waited))
        timer = loop.call_later(left, look)

    timer = loop.call_later(min(seconds, UNWATCHED_SECONDS), look)
    try:
        return await waited
    finally:
        timer.cancel()
        if leaving is not None:
            leaving.cancel()


def _end(waited: "asyncio.Future[Answer]") -> None:
    if not waited.done():
        waited.set_exception(ClientDisconnect())


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
