"""The thread that connects and publishes: whatever waits goes out in one go and is confirmed in one go.

An event loop that can goes on with its connection by itself (`publishing_loop.py`), and the thread ends.
Any doubt about the connection closes it at once; what was in doubt is published once more with the same task
ids, which the lifecycle makes harmless. No caller is told "confirmed" unless the broker has said so.
"""

import asyncio
import queue
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tandem.backplane.errors import BrokerBlocked, BrokerUnavailable, TandemError
from tandem.backplane.message import Message
from tandem.backplane.settings import Settings

if TYPE_CHECKING:
    from tandem.backplane.broker import BrokerConnection

ANSWER_SECONDS = 4.5
"""The longest a caller waits for the broker before it is refused."""
BATCH = 256


@dataclass
class Job:
    """One caller's message, and what it is to be told."""

    message: Message | None
    """None asks for a sign of life only."""
    loop: asyncio.AbstractEventLoop
    done: asyncio.Future[Any]
    wants_confirm: bool = True
    """False: `done` is for something that comes later, and here only ends in an error."""
    give_up_at: float = field(default_factory=lambda: time.monotonic() + ANSWER_SECONDS)
    outcome: TandemError | None = field(default_factory=BrokerUnavailable)
    """None: confirmed. Until the broker has spoken it is unknown."""
    sent_at: float = 0.0
    in_doubt: bool = False
    """Whether it was sent before and not spoken about: refused now, an earlier copy may still be queued."""


class PublishingThread(threading.Thread):
    """Takes jobs until it is told to end, or `give` has taken its connection. Owns its connection.

    `give` is called with a connection that has just been found good, and says whether it takes it.
    """

    def __init__(self, settings: Settings, give: "Callable[[BrokerConnection], bool]") -> None:
        super().__init__(name="publisher", daemon=True)
        self._settings = settings
        self._give = give
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._door = threading.Lock()
        self._open = True
        self._connection: BrokerConnection | None = None

    @property
    def waiting(self) -> int:
        """How many jobs have not been taken up."""
        return self._jobs.qsize()

    def put(self, jobs: Sequence[Job]) -> bool:
        """Hand jobs over; False where the thread has ended or been told to."""
        with self._door:
            if self._open:
                for job in jobs:
                    self._jobs.put(job)
            return self._open

    def end(self) -> None:
        """Let it publish what it was handed, close its connection and end."""
        with self._door:
            self._open = False
            self._jobs.put(None)

    def run(self) -> None:
        """Publish until told to end. A defect that ends it early leaves nobody waiting."""
        try:
            going_on = True
            while going_on:
                jobs, going_on = self._take()
                self._settle(jobs)
                going_on = going_on and not self._has_given()
        finally:
            with self._door:
                self._open = False
            self._drop()
            while self.waiting:
                _tell(self._take()[0])

    def _has_given(self) -> bool:
        """Give the connection away where nothing waits for it here."""
        with self._door:
            connection = self._connection
            if connection is None or not self._open or self.waiting or not self._give(connection):
                return False
            self._open, self._connection = False, None
            return True

    def _take(self) -> tuple[list[Job], bool]:
        """Wait for a job and take whatever waits beside it; False with the last."""
        jobs: list[Job] = []
        job = self._jobs.get()
        while job is not None:
            jobs.append(job)
            if len(jobs) == BATCH or self._jobs.empty():
                return jobs, True
            job = self._jobs.get()
        return jobs, False

    def _settle(self, jobs: Sequence[Job]) -> None:
        try:
            self._attempt(jobs)
        except BrokerBlocked as error:
            # The broker lives and will say when it takes messages again: its connection is kept for that.
            explain(jobs, error)
        except BrokerUnavailable:
            self._drop()
            self._attempt_again(jobs)
        finally:
            _tell(jobs)

    def _attempt_again(self, jobs: Sequence[Job]) -> None:
        try:
            self._attempt(jobs)
        except BrokerBlocked as error:
            explain(jobs, error)
        except BrokerUnavailable as error:
            self._drop()
            explain(jobs, error)

    def _attempt(self, jobs: Sequence[Job]) -> None:
        now = time.monotonic()
        alive = [job for job in jobs if job.give_up_at > now and not job.done.done()]
        if not alive:
            return
        connection = self._connected()
        if any(job.message is None for job in alive):
            connection.ping()
        try:
            refused = connection.publish([job.message for job in alive if job.message is not None])
        except BrokerUnavailable:
            doubt(alive)
            raise
        connection.used_at = time.time()
        for job in alive:
            error = refused.get(job.message.task_id) if job.message is not None else None
            job.outcome = BrokerUnavailable(error.detail) if error is not None and job.in_doubt else error

    def _connected(self) -> "BrokerConnection":
        if self._connection is not None and not self._connection.is_trusted:
            self._drop()
        if self._connection is None:
            from tandem.backplane.broker import BrokerConnection  # noqa: PLC0415  20 ms less where all is read

            self._connection = BrokerConnection(self._settings.broker_url, self._settings.queue_max_length)
        return self._connection

    def _drop(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            connection.close()


def doubt(jobs: Sequence[Job]) -> None:
    """Note that nobody knows whether the broker has them."""
    for job in jobs:
        job.in_doubt = True


def explain(jobs: Sequence[Job], error: BrokerUnavailable) -> None:
    """Have `error` as the outcome of jobs."""
    # One error for each: an exception that many callers raise would carry all their tracebacks.
    for job in jobs:
        job.outcome = type(error)(error.detail)


def _tell(jobs: Sequence[Job]) -> None:
    """Tell every caller, waking each event loop once."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Job]] = defaultdict(list)
    for job in jobs:
        by_loop[job.loop].append(job)
    for loop, told in by_loop.items():
        with suppress(RuntimeError):  # the loop has been closed
            loop.call_soon_threadsafe(resolve, told)


def resolve(jobs: Sequence[Job]) -> None:
    """Tell callers, on their own loop."""
    for job in jobs:
        if job.done.done():
            continue
        if job.outcome is None:
            if job.wants_confirm:
                job.done.set_result(None)
        else:
            job.done.set_exception(job.outcome)
