"""The load generator: a process of its own, with callers that wait for an answer before they ask again.

`python -m bench.load` reads a `Load` as JSON from its standard input. It prints `begin` when the callers are
warm, `end` when the measured time is over, so that its owner can read other clocks at the same moments, and
then one line of JSON, a `Result`. Every answer is checked, after the next request has been sent.
"""

from __future__ import annotations

import dataclasses
import json
import selectors
import sys
import time
from array import array
from pathlib import Path

from bench.exchanges import EXCHANGES, Exchange, Row
from bench.http_connection import Answer, HttpConnection
from bench.statistics import percentile

TOLERANCE = 1e-9
DRAIN_SECONDS = 40
MAX_FAILURES = 1_000
NEVER = float("inf")


@dataclasses.dataclass(frozen=True)
class Load:
    """What is asked: `callers` at once, for `seconds` after a while of warming up, or `requests` in all."""

    port: int
    exchange: str
    rows: str
    callers: int
    seconds: float
    warm_seconds: float = 0.5
    requests: int = 0
    first_row: int = 0


@dataclasses.dataclass
class Result:
    """What came back in the measured time; latencies in milliseconds."""

    requests: int = 0
    failures: int = 0
    failure: str = ""
    """What the first failure was: a wrong answer, another status, a lost connection, no answer in time."""
    seconds: float = 0.0
    p50: float = 0.0
    p90: float = 0.0
    p99: float = 0.0
    longest: float = 0.0

    @property
    def rate(self) -> float:
        """Right answers a second."""
        return self.requests / self.seconds if self.seconds else 0.0


class Callers:
    """All callers of one load, on one selector."""

    def __init__(self, load: Load) -> None:
        text = json.loads(Path(load.rows).read_text(encoding="utf-8"))
        self._load = load
        self._exchange: Exchange = EXCHANGES[load.exchange]
        rows: list[Row] = text["rows"]
        self._expected: list[list[float]] = text["probabilities"]
        self._requests = [self._exchange.request(row) for row in rows]
        self._next = load.first_row
        self._left = load.requests or NEVER
        self._selector = selectors.DefaultSelector()
        self._latencies = array("d")
        self._result = Result()
        self._begin = self._end = NEVER
        self._in_flight = 0

    def run(self) -> Result:
        """Ask until the time or the requests are over, and wait for what is still under way."""
        connections = [HttpConnection(self._load.port) for _ in range(self._load.callers)]
        started = time.perf_counter()
        self._begin = started + self._load.warm_seconds
        last = self._end = self._begin + self._load.seconds
        for connection in connections:
            self._selector.register(connection.socket, selectors.EVENT_READ, connection)
            self._ask(connection)
        announced = 0
        while self._in_flight and time.perf_counter() < last + DRAIN_SECONDS:
            for key, _ in self._selector.select(0.05):
                self._serve(key.data)
            now = time.perf_counter()
            for moment, name in ((self._begin, "begin"), (self._end, "end"))[announced:]:
                if now >= moment:
                    print(name, flush=True)
                    announced += 1
        for name in ("begin", "end")[announced:]:
            print(name, flush=True)
        return self._summary(min(time.perf_counter(), self._end) - self._begin)

    def _ask(self, connection: HttpConnection) -> None:
        now = time.perf_counter()
        if now >= self._end or self._left <= 0:
            return
        connection.row = self._next % len(self._requests)
        self._next += 1
        self._left -= 1
        connection.sent_at = now
        self._in_flight += 1
        try:
            connection.send(self._requests[connection.row])
        except OSError as error:
            self._lost(connection, error)

    def _serve(self, connection: HttpConnection) -> None:
        try:
            answer = connection.receive()
        except BlockingIOError:
            return
        except OSError as error:
            self._lost(connection, error)
            return
        if answer is None:
            return
        now = time.perf_counter()
        row, sent_at = connection.row, connection.sent_at
        self._in_flight -= 1
        self._ask(connection)
        fault = self._fault(answer, row)
        if fault:
            self._fail(fault)
        elif self._begin <= now <= self._end:
            self._latencies.append(now - sent_at)

    def _fault(self, answer: Answer, row: int) -> str:
        if answer.status != self._exchange.status:
            return f"status {answer.status}: {answer.body[:200]!r}"
        try:
            found = self._exchange.probabilities(json.loads(answer.body))
        except (ValueError, KeyError, TypeError, IndexError) as error:
            return f"{type(error).__name__} in {answer.body[:200]!r}"
        if found is not None:
            expected = self._expected[row]
            if len(found) != len(expected) or any(
                abs(mine - theirs) > TOLERANCE for mine, theirs in zip(found, expected, strict=True)
            ):
                return f"wrong answer to row {row}: {found}, expected {expected}"
        return ""

    def _lost(self, connection: HttpConnection, error: OSError) -> None:
        self._selector.unregister(connection.socket)
        connection.close()
        if not connection.is_waiting:
            return  # a server may close a connection on which nothing has been asked for a while
        self._in_flight -= 1
        self._fail(f"connection lost: {error}")
        if self._result.failures < MAX_FAILURES:
            again = HttpConnection(self._load.port)
            self._selector.register(again.socket, selectors.EVENT_READ, again)
            self._ask(again)

    def _fail(self, what: str) -> None:
        self._result.failures += 1
        self._result.failure = self._result.failure or what

    def _summary(self, seconds: float) -> Result:
        if self._in_flight:
            self._result.failures += self._in_flight
            self._result.failure = self._result.failure or f"{self._in_flight} requests were not answered"
        found = sorted(self._latencies)
        result = dataclasses.replace(self._result, requests=len(found), seconds=seconds)
        if found:
            result.p50, result.p90, result.p99 = (percentile(found, part) * 1e3 for part in (50, 90, 99))
            result.longest = found[-1] * 1e3
        return result


if __name__ == "__main__":
    print(json.dumps(dataclasses.asdict(Callers(Load(**json.load(sys.stdin))).run())), flush=True)
