"""The publisher of a process: one connection, many callers' messages sent and confirmed together.

A thread (`publishing_thread.py`) connects, and has whatever is in doubt. An event loop takes its connection
over and uses it itself (`publishing_loop.py`); with Redis, over TLS and for further event loops the thread
publishes all the while.
"""

import asyncio
import os
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from tandem.backplane.errors import BrokerUnavailable
from tandem.backplane.message import Message
from tandem.backplane.publishing_thread import ANSWER_SECONDS, Job, PublishingThread, doubt, explain, resolve
from tandem.backplane.settings import Settings

if TYPE_CHECKING:
    from tandem.backplane.broker import BrokerConnection
    from tandem.backplane.publishing_loop import PublishingLoop

WAITING_LIMIT = 20_000


class Publisher:
    """Publishes from any event loop of this process. Owns thread and connection; `close` ends both."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._start = threading.Lock()
        self._thread: PublishingThread | None = None
        self._idle: BrokerConnection | None = None
        """What the thread has given and no loop has taken."""
        self._direct: PublishingLoop | None = None
        self._served: asyncio.AbstractEventLoop | None = None
        """The last one: it is not to go before whoever closes this, as `edge.py` does for closed loops."""
        self._gathered: dict[asyncio.AbstractEventLoop, list[Job]] = {}
        _publishers.add(self)

    async def publish(self, message: Message) -> None:
        """Return once the broker has confirmed the message.

        Raises QueueFull, QueueMissing (certainly not queued) or BrokerUnavailable (unknown) within
        ANSWER_SECONDS.
        """
        await self._confirmed(message)

    def start(self, message: Message, waited: "asyncio.Future[Any]") -> None:
        """Publish for a caller that waits for an answer: what `publish` would raise ends `waited` instead.

        Nothing is published where `waited` has ended before.
        """
        self._gather(Job(message, asyncio.get_running_loop(), waited, wants_confirm=False))

    async def ping(self) -> None:
        """Return once the broker has answered; raises BrokerUnavailable."""
        await self._confirmed(None)

    def close(self) -> None:
        """Publish what waits, and end the thread and the connection; a later publish starts anew."""
        for loop in list(self._gathered):
            jobs = self._gathered.pop(loop, [])
            self._to_thread(jobs, connect=True)
            with suppress(RuntimeError):  # the loop has been closed
                loop.call_soon_threadsafe(_keep_bound, loop, jobs)
        with self._start:
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.end()
            thread.join(ANSWER_SECONDS * 2)
        with self._start:
            idle, self._idle = self._idle, None
            direct, self._direct = self._direct, None
        if direct is not None:
            idle = _ended(direct)
        if idle is not None:
            idle.close()

    async def _confirmed(self, message: Message | None) -> None:
        loop = asyncio.get_running_loop()
        job = Job(message, loop, loop.create_future())
        self._gather(job)
        try:
            await job.done
        finally:
            if job.done.done() and not job.done.cancelled():
                job.done.exception()  # a caller that left in that moment has no use for it

    def _gather(self, job: Job) -> None:
        # Callers who are served in one turn of the loop are sent in one go.
        gathered = self._gathered.get(job.loop)
        if gathered is not None:
            gathered.append(job)
        elif self._waiting() >= WAITING_LIMIT:
            raise BrokerUnavailable("Too many messages wait for the broker.")
        else:
            self._served, self._gathered[job.loop] = job.loop, [job]
            job.loop.call_soon(self._hand_over, job.loop)

    def _waiting(self) -> int:
        return sum(one.waiting for one in (self._thread, self._direct) if one is not None)

    def _hand_over(self, loop: asyncio.AbstractEventLoop) -> None:
        jobs = self._gathered.pop(loop, [])
        try:
            while jobs:
                direct = self._direct_of(loop)
                if direct is not None and direct.publish(jobs):
                    break
                if self._to_thread(jobs):
                    _keep_bound(loop, jobs)
                    break
        except BaseException:  # a defect of ours leaves nobody waiting
            _keep_bound(loop, jobs)
            raise

    def _direct_of(self, loop: asyncio.AbstractEventLoop) -> "PublishingLoop | None":
        """What publishes for the running `loop`, if there is a connection for it."""
        with self._start:
            if self._direct is not None and self._direct.loop is not loop and self._direct.loop.is_closed():
                self._idle, self._direct = self._direct.taken_back(), None
            if self._direct is None and self._idle is not None:
                from tandem.backplane.publishing_loop import PublishingLoop  # noqa: PLC0415  with kombu, 20 ms

                connection, self._idle = self._idle, None
                self._direct = PublishingLoop(loop, connection, self._in_doubt)
            return self._direct if self._direct is not None and self._direct.loop is loop else None

    def _in_doubt(self, direct: "PublishingLoop", jobs: Sequence[Job]) -> None:
        with self._start:
            if self._direct is direct:
                self._direct = None
        if jobs:
            doubt(jobs)
            self._to_thread(jobs, connect=True)
            _keep_bound(jobs[0].loop, jobs)

    def _to_thread(self, jobs: Sequence[Job], *, connect: bool = False) -> bool:
        """Give jobs to the thread; False where it has just given its connection away for them."""
        with self._start:
            if self._thread is not None and self._thread.put(jobs):
                return True
            if self._idle is not None and not connect:
                return False
            self._thread = PublishingThread(self._settings, self._takes)
            self._thread.start()
            return self._thread.put(jobs)

    def _takes(self, connection: "BrokerConnection") -> bool:
        """Take a connection from the thread, where an event loop can use it."""
        if not connection.suits_an_event_loop or self._idle is not None or self._direct is not None:
            return False
        self._idle = connection
        return True

    def _after_fork(self) -> None:
        # A fork shares its parent's socket, which is left to the parent, and has none of its threads.
        self._start, self._thread, self._gathered = threading.Lock(), None, {}
        self._idle = self._direct = None


def _keep_bound(loop: asyncio.AbstractEventLoop, jobs: Sequence[Job]) -> None:
    """Refuse each of the jobs that the thread has not settled when its time is over."""
    now = time.monotonic()
    late = [job for job in jobs if not job.done.done() and job.outcome is not None and job.give_up_at <= now]
    explain(late, BrokerUnavailable("The broker did not confirm in time."))
    resolve(late)
    left = [job for job in jobs if not job.done.done() and job.outcome is not None]
    if left:
        loop.call_later(min(job.give_up_at for job in left) - now, _keep_bound, loop, left)


def _ended(direct: "PublishingLoop") -> "BrokerConnection | None":
    """End what a loop publishes with; its connection, where the loop does not run and cannot close it."""
    if not direct.loop.is_running():
        return direct.taken_back()
    ended = threading.Event()
    direct.loop.call_soon_threadsafe(direct.end, ended.set)
    if asyncio._get_running_loop() is not direct.loop:  # noqa: SLF001  the only one that may find none
        ended.wait(ANSWER_SECONDS * 2)
    return None


_publishers: WeakSet[Publisher] = WeakSet()


def _after_fork_in_child() -> None:
    for publisher in list(_publishers):
        publisher._after_fork()  # noqa: SLF001  this module's own


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_after_fork_in_child)
