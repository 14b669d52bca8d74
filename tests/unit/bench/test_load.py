"""The load generator counts right answers only, asks as often as it was told, and always ends."""

from __future__ import annotations

import itertools
import json
import time
from typing import TYPE_CHECKING

import pytest

from bench.load import Load
from bench.window import LoadFailed, measure
from tests.unit.bench.tiny_server import Answer, answering

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ROWS = [{"value": float(number)} for number in range(8)]
PROBABILITIES = [[number / 8, 1 - number / 8] for number in range(8)]


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Load]:
    """A load of eight rows; what is given replaces the usual."""
    rows = tmp_path / "rows.json"
    rows.write_text(json.dumps({"rows": ROWS, "probabilities": PROBABILITIES}))

    def make(port: int, **given: float) -> Load:
        usual = {"callers": 3, "seconds": 20.0, "warm_seconds": 0.0, "requests": 24}
        return Load(port=port, exchange="features", rows=str(rows), **(usual | given))  # type: ignore[arg-type]

    return make


def right(body: bytes) -> Answer:
    """The expected answer to a row."""
    value = int(json.loads(body)["features"]["value"])
    return 200, json.dumps({"probabilities": PROBABILITIES[value]}).encode()


def test_right_answers_are_counted(load: Callable[..., Load]) -> None:
    """As many requests as wanted, each row in turn, nothing failed."""
    asked: list[float] = []

    def answer(body: bytes) -> Answer:
        asked.append(json.loads(body)["features"]["value"])
        return right(body)

    with answering(answer) as port:
        result = measure(load(port)).result
    assert (result.requests, result.failures) == (24, 0), result.failure
    assert sorted(asked) == sorted([row["value"] for row in ROWS] * 3)
    assert 0 < result.p50 <= result.p99 <= result.longest


def test_a_wrong_answer_is_a_failure(load: Callable[..., Load]) -> None:
    """A server that gives one row another's answer is found out, and told by the row."""

    def answer(body: bytes) -> Answer:
        return right(body.replace(b"5.0", b"4.0"))

    with answering(answer) as port:
        result = measure(load(port)).result
    assert (result.requests, result.failures) == (21, 3)
    assert "wrong answer to row 5" in result.failure


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (503, b'{"title": "busy"}', "status 503"),
        (200, b"nonsense", "JSONDecodeError"),
        (200, b"{}", "KeyError"),
    ],
)
def test_other_answers_are_failures(load: Callable[..., Load], status: int, body: bytes, told: str) -> None:
    """Another status, no JSON, no probabilities: none counts as an answer."""
    with answering(lambda _: (status, body)) as port:
        result = measure(load(port)).result
    assert (result.requests, result.failures) == (0, 24)
    assert told in result.failure


def test_a_lost_connection_is_a_failure_and_is_replaced(load: Callable[..., Load]) -> None:
    """The caller whose connection was closed asks on over another one."""
    numbers = itertools.count(1)

    def answer(body: bytes) -> Answer | None:
        return None if next(numbers) == 2 else right(body)

    with answering(answer) as port:
        result = measure(load(port)).result
    assert (result.requests, result.failures) == (23, 1)
    assert "connection lost" in result.failure


def test_an_idle_connection_may_be_closed(load: Callable[..., Load]) -> None:
    """Who has been answered and asks no more loses nothing, while others still wait."""

    def answer(body: bytes) -> Answer:
        time.sleep(0 if b"0.0" in body else 0.3)
        return right(body)

    with answering(answer, closes=True) as port:
        result = measure(load(port, requests=3)).result
    assert (result.requests, result.failures) == (3, 0), result.failure


def test_time_ends_a_load_that_has_no_number(load: Callable[..., Load]) -> None:
    """Without a number of requests the callers stop after the seconds given."""
    with answering(right) as port:
        result = measure(load(port, seconds=0.3, requests=0)).result
    assert result.failures == 0, result.failure
    assert result.rate == result.requests / result.seconds


def test_a_generator_that_cannot_connect_is_told(
    load: Callable[..., Load], capfd: pytest.CaptureFixture[str]
) -> None:
    """Nobody listens: an error, not a measurement of nothing."""
    with answering(right) as port:
        pass
    with pytest.raises(LoadFailed, match="ended with status 1"):
        measure(load(port))
    assert "ConnectionRefusedError" in capfd.readouterr().err
