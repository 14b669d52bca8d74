"""The clients: some submit at an even pace, some wait for an answer, some read; none is ever many."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from typing import TYPE_CHECKING, Any

from tests.faults.http_call import Answer, Client, NoAnswer
from tests.faults.ledger import ANSWER_SECONDS, TERMINAL, Accepted, Call, Ledger
from tests.faults.processes import MODEL

if TYPE_CHECKING:
    from collections.abc import Mapping

SUBMITTERS, WAITERS, READERS = 32, 2, 2
SYNC_NUMBERS = 100_000_000
"""Numbers of callers who wait begin here."""
PAUSE_SECONDS = 0.2
GIVE_UP_SECONDS = ANSWER_SECONDS + 10
SETTLERS = 16
READ_AT_ONCE = 200
SETTLE_PAUSE_SECONDS = 2.0
_sync_numbers = itertools.count(SYNC_NUMBERS)


class Caller:
    """Makes calls and writes each into the ledger."""

    def __init__(self, client: Client, ledger: Ledger) -> None:
        self.client, self.ledger = client, ledger

    async def call(self, kind: str, method: str, path: str, **given: Any) -> Answer | None:
        """One call; None where there was no answer."""
        started = time.monotonic()
        try:
            answer = await self.client.request(method, path, **given)
        except NoAnswer as error:
            self.ledger.calls.append(Call(kind, 0, time.monotonic() - started, why=str(error)))
            return None
        seconds = time.monotonic() - started
        why = str(answer.json().get("type", "")) if answer.status_code >= 400 else ""
        self.ledger.calls.append(
            Call(kind, answer.status_code, seconds, "retry-after" in answer.headers, why)
        )
        return answer

    async def submit(
        self,
        number: int,
        *,
        seconds: float = 0.0,
        action: str = "",
        kind: str = "submit",
        headers: Mapping[str, str] | None = None,
        **members: object,
    ) -> str | None:
        """Ask for one prediction later; the task id if it was accepted."""
        self.ledger.submitted += kind == "submit"
        body = {"features": {"number": number, "seconds": seconds, "action": action}, **members}
        answer = await self.call(
            kind, "POST", f"/predict/async/?model={MODEL}", json=body, headers=dict(headers or {})
        )
        if answer is None or answer.status_code != 202:
            return None
        task_id = str(answer.json()["task_id"])
        self.ledger.accepted.setdefault(task_id, Accepted(number, time.time()))
        return task_id

    async def wait(self) -> int:
        """Ask for one prediction now; the status, 0 for none."""
        body = {"features": {"number": next(_sync_numbers), "seconds": 0.0, "action": ""}}
        answer = await self.call("wait", "POST", f"/predict/?model={MODEL}", json=body)
        return 0 if answer is None else answer.status_code

    async def read(self, task_id: str, wait: float = 0) -> None:
        """Read a task's status; only an answer about the task changes what is known of it."""
        answer = await self.call("read", "GET", f"/monitoring/task_status/{task_id}?wait={wait}")
        if answer is None or answer.status_code >= 500:
            return
        if answer.status_code == 200:
            self.ledger.accepted[task_id].read(answer.json())
        else:
            self.ledger.accepted[task_id].state = str(answer.status_code)

    async def settle(self, deadline: float) -> None:
        """Read every accepted task until it has ended, until `deadline` (monotonic seconds) at the latest."""
        places = asyncio.Semaphore(SETTLERS)

        async def read(task_id: str) -> None:
            async with places:
                await self.read(task_id)

        while open_ids := self.ledger.open_ids():
            late = time.monotonic() > deadline
            for start in range(0, len(open_ids), READ_AT_ONCE):
                some = open_ids[start : start + READ_AT_ONCE]
                await asyncio.gather(*[read(task_id) for task_id in some])
                if (
                    not late
                    and sum(self.ledger.accepted[one].state not in TERMINAL for one in some) > SETTLERS
                ):
                    break  # those behind them have not ended either, and the worker needs the processor more
            if late:
                return
            await asyncio.sleep(SETTLE_PAUSE_SECONDS)


class Load:
    """`tasks` submissions at `rate` a second, while others wait and read. What is late is not made up for."""

    def __init__(self, caller: Caller, *, tasks: int, rate: float, seconds: float, **members: object) -> None:
        self._caller = caller
        self._tasks, self._rate = tasks, rate
        self._given: dict[str, Any] = {"seconds": seconds, **members}
        self._numbers = iter(range(tasks))
        self._next_at = time.monotonic()
        self._done = asyncio.Event()
        self._stopping = False
        self.submitting = 0

    @property
    def share(self) -> float:
        """How much of it has been submitted, from 0 to 1."""
        return self.submitting / self._tasks

    @property
    def is_over(self) -> bool:
        """Whether everything has been submitted and answered."""
        return self._done.is_set()

    def stop(self) -> None:
        """Submit no more."""
        self._stopping = True

    async def run(self) -> None:
        """Until every submission has been answered."""
        beside = [asyncio.create_task(self._wait()) for _ in range(WAITERS)]
        beside += [asyncio.create_task(self._read()) for _ in range(READERS)]
        try:
            await asyncio.gather(*[self._submit() for _ in range(SUBMITTERS)])
            self._done.set()
            await asyncio.gather(*beside)
        finally:
            for task in beside:
                task.cancel()

    async def _submit(self) -> None:
        for number in self._numbers:
            if self._stopping:
                return
            self.submitting += 1
            now = time.monotonic()
            self._next_at = max(self._next_at, now) + 1 / self._rate
            await asyncio.sleep(self._next_at - now)
            await self._caller.submit(number, **self._given)

    async def _wait(self) -> None:
        while not self.is_over:
            await self._caller.wait()
            await asyncio.sleep(PAUSE_SECONDS)

    async def _read(self) -> None:
        while not self.is_over:
            if known := list(self._caller.ledger.accepted):
                await self._caller.read(random.choice(known), wait=1)  # noqa: S311  any will do
            await asyncio.sleep(PAUSE_SECONDS)


def client_of(url: str) -> Client:
    """A client that waits a little longer than any answer may take."""
    return Client(url, timeout_seconds=GIVE_UP_SECONDS)
