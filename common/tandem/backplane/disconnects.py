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


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
