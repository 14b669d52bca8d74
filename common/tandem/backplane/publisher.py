"""The publisher of a process: one thread, one connection, many callers' messages confirmed together.

Whatever waits is published in one go and confirmed in one go, so that a busy process pays one round trip
for many messages and a quiet one pays no waiting. Any doubt about a connection closes it at once; what was
in doubt is published once more with the same task ids, which the lifecycle makes harmless.
"""

import asyncio
import os
import queue
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from tandem.backplane.broker import BrokerConnection
from tandem.backplane.errors import BrokerUnavailable, TandemError
from tandem.backplane.message import Message
from tandem.backplane.settings import Settings

ANSWER_SECONDS = 4.5
"""The longest a caller waits for the broker before it is refused."""
IDLE_SECONDS = 240.0
"""An older idle connection may have been dropped by something on the way without a word."""
BATCH = 256
WAITING_LIMIT = 10_000


@dataclass
class _Job:
    message: Message | None
    """None asks for a sign of life only."""
    loop: asyncio.AbstractEventLoop
    done: asyncio.Future[None]
    give_up_at: float = field(default_factory=lambda: time.monotonic() + ANSWER_SECONDS)


class Publisher:
    """Publishes from any event loop of this process. Owns its thread and connection; `close` ends both."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._pid = 0
        self._connection: BrokerConnection | None = None
        self._used_at = 0.0
        self._start = threading.Lock()

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
        """End the thread and the connection; a later publish starts anew."""
        with self._start:
            thread, self._thread = self._thread, None
        if thread is not None and self._pid == os.getpid():
            self._jobs.put(None)
            thread.join(ANSWER_SECONDS * 2)

    async def _submit(self, message: Message | None) -> None:
        if self._jobs.qsize() >= WAITING_LIMIT:
            raise BrokerUnavailable("Too many messages wait for the broker.")
        loop = asyncio.get_running_loop()
        job = _Job(message, loop, loop.create_future())
        self._ensure_thread()
        self._jobs.put(job)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await job.done
        except TimeoutError:
            raise BrokerUnavailable("The broker did not confirm in time.") from None

    def _ensure_thread(self) -> None:
        with self._start:
            if self._thread is not None and self._thread.is_alive() and self._pid == os.getpid():
                return
            if self._pid != os.getpid():
                # A fork shares its parent's socket: leave it to the parent.
                self._jobs, self._connection = queue.SimpleQueue(), None
            self._pid = os.getpid()
            self._thread = threading.Thread(target=self._serve, name="publisher", daemon=True)
            self._thread.start()

    def _serve(self) -> None:
        jobs: list[_Job] = []
        while True:
            jobs = self._take()
            if not jobs:
                break
            self._settle(jobs)
        self._drop()

    def _take(self) -> list[_Job]:
        first = self._jobs.get()
        jobs: list[_Job] = []
        while first is not None:
            jobs.append(first)
            if len(jobs) == BATCH or self._jobs.empty():
                return jobs
            first = self._jobs.get()
        if jobs:
            self._jobs.put(None)  # told to end: do so after these
        return jobs

    def _settle(self, jobs: list[_Job]) -> None:
        now = time.monotonic()
        alive = [job for job in jobs if job.give_up_at > now and not job.done.cancelled()]
        outcomes: dict[int, TandemError | None] = {}
        try:
            outcomes = self._attempt(alive)
        except BrokerUnavailable:
            self._drop()
            try:
                outcomes = self._attempt([job for job in alive if job.give_up_at > time.monotonic()])
            except BrokerUnavailable as error:
                self._drop()
                outcomes = {id(job): error for job in alive}
        _resolve([(job, outcomes.get(id(job))) for job in alive])

    def _attempt(self, jobs: Sequence[_Job]) -> dict[int, TandemError | None]:
        now = time.time()  # wall clock: a frozen process's monotonic clock may have stood still
        if self._connection is not None and not 0 <= now - self._used_at < IDLE_SECONDS:
            self._drop()
        if self._connection is None:
            self._connection = BrokerConnection(self._settings.broker_url, self._settings.queue_max_length)
        if any(job.message is None for job in jobs):
            self._connection.ping()
        refused = self._connection.publish([job.message for job in jobs if job.message is not None])
        self._used_at = time.time()
        return {id(job): refused.get(job.message.task_id) for job in jobs if job.message is not None}

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _resolve(outcomes: list[tuple[_Job, TandemError | None]]) -> None:
    """Tell every caller, waking each event loop once."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[_Job, TandemError | None]]] = defaultdict(list)
    for job, error in outcomes:
        by_loop[job.loop].append((job, error))

    def tell(answers: list[tuple[_Job, TandemError | None]]) -> None:
        for job, error in answers:
            if job.done.done():
                continue
            if error is None:
                job.done.set_result(None)
            else:
                job.done.set_exception(error)

    for loop, answers in by_loop.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(tell, answers)
