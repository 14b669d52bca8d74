"""The publisher of a process: one thread, one connection, many callers' messages confirmed together.

A busy process pays one round trip for many messages and a quiet one pays no waiting; see
`publishing_thread.py` for what happens between here and the broker.
"""

import asyncio
import os
import sys
import threading
from weakref import WeakSet

from tandem.backplane.errors import BrokerUnavailable
from tandem.backplane.message import Message
from tandem.backplane.publishing_thread import ANSWER_SECONDS, Job, PublishingThread
from tandem.backplane.settings import Settings

WAITING_LIMIT = 10_000


class Publisher:
    """Publishes from any event loop of this process. Owns its thread and connection; `close` ends both."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._thread: PublishingThread | None = None
        self._start = threading.Lock()
        self._gathered: dict[asyncio.AbstractEventLoop, list[Job]] = {}
        _publishers.add(self)

    async def publish(self, message: Message) -> None:
        """Return once the broker has confirmed the message.

        Raises QueueFull, QueueMissing (certainly not queued) or BrokerUnavailable (unknown) within
        ANSWER_SECONDS.
        """
        await self._submit(message)

    async def ping(self) -> None:
        """Return once the broker has answered; raises BrokerUnavailable."""
        await self._submit(None)

    def close(self) -> None:
        """Publish what waits, and end the thread and the connection; a later publish starts anew."""
        for loop in list(self._gathered):
            self._hand_over(loop)
        with self._start:
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.end()
            thread.join(ANSWER_SECONDS * 2)

    async def _submit(self, message: Message | None) -> None:
        if self._thread is not None and self._thread.waiting >= WAITING_LIMIT:
            raise BrokerUnavailable("Too many messages wait for the broker.")
        loop = asyncio.get_running_loop()
        job = Job(message, loop, loop.create_future())
        self._gather(loop, job)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await job.done
        except TimeoutError:
            raise BrokerUnavailable("The broker did not confirm in time.") from None
        finally:
            if job.done.done() and not job.done.cancelled():
                job.done.exception()  # a caller that left in that moment has no use for it

    def _gather(self, loop: asyncio.AbstractEventLoop, job: Job) -> None:
        # Callers who are served in one turn of the loop wake the thread once, which would else take the
        # interpreter away from the loop for each of them.
        gathered = self._gathered.get(loop)
        if gathered is None:
            self._gathered[loop] = [job]
            loop.call_soon(self._hand_over, loop)
        else:
            gathered.append(job)

    def _hand_over(self, loop: asyncio.AbstractEventLoop) -> None:
        for job in self._gathered.pop(loop, ()):
            with self._start:
                if self._thread is None or not self._thread.put(job):
                    self._thread = PublishingThread(self._settings)
                    self._thread.start()
                    self._thread.put(job)

    def _after_fork(self) -> None:
        # A fork shares its parent's socket, which is left to the parent, and has none of its threads.
        self._start, self._thread, self._gathered = threading.Lock(), None, {}


_publishers: WeakSet[Publisher] = WeakSet()


def _after_fork_in_child() -> None:
    for publisher in list(_publishers):
        publisher._after_fork()  # noqa: SLF001  this module's own


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_after_fork_in_child)
