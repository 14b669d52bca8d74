"""Publishing by an event loop itself: it sends what its callers have, and reads confirms as they come.

Nothing here waits, and no thread has to be woken for a message or for its confirm. Connecting, and whatever
is in doubt, is the publishing thread's (`publishing_thread.py`): at any doubt the connection is closed and
what the broker has not spoken about goes there, to be published once more with the same task ids.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from tandem.backplane import broker
from tandem.backplane.broker import BrokerConnection
from tandem.backplane.errors import BrokerBlocked, BrokerUnavailable
from tandem.backplane.message import Message
from tandem.backplane.publishing_thread import Job, explain, resolve

PING = Message("", "", b"", {}, durable=False)
"""Goes to no queue: the broker confirms it and forgets it."""
LOOKED_SECONDS = 1.0
"""A connection not looked at for this long is looked at before it is used."""


class PublishingLoop:
    """One connection in the hands of `loop`, whose thread alone calls what is here. Owns it and its socket.

    `in_doubt` is given the jobs of which nobody knows when the connection ends.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        connection: BrokerConnection,
        in_doubt: Callable[["PublishingLoop", Sequence[Job]], None],
    ) -> None:
        self.loop = loop
        self._connection = connection
        self._in_doubt = in_doubt
        self._jobs: dict[int, Job] = {}
        """By number, the oldest first."""
        self._unsent = bytearray()
        self._looked_at = 0.0
        self._watch: asyncio.TimerHandle | None = None
        self._socket = connection.stop_waiting(self._write)
        self._is_open = True
        self._ended: Callable[[], None] | None = None
        loop.add_reader(self._socket, self._read)

    @property
    def waiting(self) -> int:
        """How many jobs the broker has not spoken about."""
        return len(self._jobs)

    def publish(self, jobs: Sequence[Job]) -> bool:
        """Send the messages of jobs and tell each what becomes of it; False where there is no connection."""
        if not self._connection.is_trusted:
            self.drop()
        elif not 0 <= time.time() - self._looked_at < LOOKED_SECONDS:
            self._read()
        if not self._is_open or self._ended is not None or not self._takes(jobs):
            return self._is_open and self._ended is None
        wanted = [job for job in jobs if not job.done.done()]
        sent_at = time.monotonic()
        for job in wanted:
            job.sent_at = sent_at
        numbers: Sequence[int] = range(-len(wanted), 0)
        try:
            numbers = self._connection.send([job.message or PING for job in wanted])
        except BrokerUnavailable:
            pass
        finally:  # also where a defect of ours is on its way up
            self._jobs.update(zip(numbers, wanted, strict=True))
            if numbers and numbers[0] < 0:
                self.drop()
        self._connection.used_at = time.time()
        self._keep_watch()
        return True

    def drop(self) -> None:
        """Close the connection; what the broker has not spoken about is in doubt."""
        if not self._is_open:
            return
        jobs, self._jobs = [job for job in self._jobs.values() if not job.done.done()], {}
        try:
            self._close()
        finally:  # also where a defect of ours is on its way up
            self._in_doubt(self, jobs)

    def end(self, ended: Callable[[], None]) -> None:
        """Take nothing more, close the connection when the broker has spoken about all, and call `ended`."""
        self._ended = ended
        self._end_if_settled()

    def taken_back(self) -> BrokerConnection | None:
        """The connection, out of the hands of a loop that does not run any more; None: it was of no use."""
        self._is_open = False
        if not self.loop.is_closed():
            self._leave_socket()
            resolve(list(self._jobs.values()))
        self._socket.close()
        if self._unsent:
            self._connection.close()
            return None
        return self._connection

    def _close(self) -> None:
        self._is_open = False
        if self._watch is not None:
            self._watch.cancel()
        self._leave_socket()
        self._socket.close()
        self._connection.close()
        if self._ended is not None:
            self._ended()

    def _leave_socket(self) -> None:
        self.loop.remove_reader(self._socket)
        self.loop.remove_writer(self._socket)

    def _end_if_settled(self) -> None:
        if self._ended is not None and not self._jobs and self._is_open:
            self._close()

    def _takes(self, jobs: Sequence[Job]) -> bool:
        """Whether the broker takes messages; where it has said that it does not, `jobs` are told."""
        try:
            self._connection.raise_if_blocked()
        except BrokerBlocked as error:
            explain(jobs, error)
            resolve(jobs)
            return False
        except BrokerUnavailable:
            self.drop()
            return False
        return True

    def _read(self) -> None:
        if not self._is_open:
            return
        self._looked_at = time.time()
        lost = False
        try:
            self._connection.read()
        except BrokerUnavailable:
            lost = True
        told = []
        for number, error in self._connection.settled():
            job = self._jobs.pop(number, None)
            if job is not None:
                job.outcome = error
                told.append(job)
        resolve(told)
        if lost:
            self.drop()
        elif not self._takes(list(self._jobs.values())):
            self._jobs.clear()
        self._end_if_settled()

    def _write(self, frames: memoryview | bytes | bytearray) -> None:
        """Send; what the socket does not take waits until it does."""
        sent = 0
        if not self._unsent:
            with suppress(BlockingIOError):
                sent = self._socket.send(frames)
            if sent < len(frames):
                self.loop.add_writer(self._socket, self._write_on)
        self._unsent += memoryview(frames)[sent:]

    def _write_on(self) -> None:
        try:
            del self._unsent[: self._socket.send(self._unsent)]
        except BlockingIOError:
            return
        except OSError:
            self.drop()
            return
        if not self._unsent:
            self.loop.remove_writer(self._socket)

    def _keep_watch(self) -> None:
        if self._watch is None and self._jobs and self._is_open:
            self._watch = self.loop.call_later(self._patience(), self._look)

    def _patience(self) -> float:
        """How long the broker may still take to speak about the oldest message."""
        oldest = next(iter(self._jobs.values()))
        return oldest.sent_at + broker.CONFIRM_SECONDS - time.monotonic()

    def _look(self) -> None:
        self._watch = None
        if self._patience_is_over():
            self._read()  # what has come while the loop had other things to do counts
            if self._patience_is_over():
                self.drop()
        self._keep_watch()

    def _patience_is_over(self) -> bool:
        return bool(self._jobs) and self._patience() <= 0
