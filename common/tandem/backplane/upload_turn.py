"""One upload in memory at a time, however many callers of a process come with one at once."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tandem.backplane.errors import PayloadsUnavailable

WAIT_SECONDS = 4.0
"""How long a caller waits for others' uploads to be read."""


class UploadTurn:
    """Whose turn it is, on one event loop."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._failed_at = float("-inf")

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[None]:
        """Have it until the end; raises PayloadsUnavailable where others have it for too long.

        So it does where the one before found the bucket away: to find that out again, one after another,
        would take the last of those who wait longer than a 503 may.
        """
        came_at = time.monotonic()
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await self._lock.acquire()
        except TimeoutError:
            raise PayloadsUnavailable("Other uploads are being read.") from None
        try:
            if self._failed_at > came_at:
                raise PayloadsUnavailable
            try:
                yield
            except PayloadsUnavailable:
                self._failed_at = time.monotonic()
                raise
        finally:
            self._lock.release()
