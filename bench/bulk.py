"""Many rows in one request, from the request to the last answer in hand: Tandem's batch and two naive ways.

The naive ways: all rows as one task of records, and a task for each row, the latter with fewer rows, because
it takes half a minute for all. Times are compared for each row.
"""

from __future__ import annotations

import http.client
import json
import time
from typing import TYPE_CHECKING, Any

from bench import place
from bench.load import TOLERANCE
from bench.naive.processes import NAIVE
from bench.preparation import make_environment
from bench.statistics import median, paired, shown
from bench.tables import table
from bench.tandem import tandem
from bench.window import LoadFailed

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.bench import Bench, Figures

ROWS, SINGLE_ROWS = 10_000, 1_000
ROUNDS, REPEATS = 2, 3
ANSWER_SECONDS = 150
OK, ACCEPTED = 200, 202


def measure(bench: Bench) -> Figures:
    """Microseconds a row, each way, in turns; the first request of a fresh system only warms it."""
    make_environment(NAIVE.peer)
    found: dict[str, list[float]] = {"batch": [], "task_of_records": [], "task_per_row": []}
    for _ in range(min(ROUNDS, bench.options.rounds)):
        with tandem().running(bench.servers) as running:
            found["batch"].append(_microseconds(running.port, _batch, ROWS))
        with NAIVE.running(bench.servers) as running:
            found["task_of_records"].append(_microseconds(running.port, _naive("/records"), ROWS))
            found["task_per_row"].append(_microseconds(running.port, _naive("/each"), SINGLE_ROWS, repeats=1))
    return {
        "microseconds_per_row": found,
        **{name: paired(found[name], found["batch"]) for name in ("task_of_records", "task_per_row")},
    }


def _microseconds(
    port: int, predict: Callable[[int, bytes], list[list[float]]], rows: int, repeats: int = REPEATS
) -> float:
    document = json.loads(place.ROWS.read_text(encoding="utf-8"))
    body = json.dumps({"rows": document["rows"][:rows]}).encode()
    expected = document["probabilities"][:rows]
    seconds = []
    for _ in range(1 + repeats):
        began = time.perf_counter()
        answers = predict(port, body)
        seconds.append(time.perf_counter() - began)
        if not _same(answers, expected):
            raise LoadFailed("the answers to many rows are not those of each row alone")
    return round(median(seconds[1:]) / rows * 1e6, 1)


def _same(answers: list[list[float]], expected: list[list[float]]) -> bool:
    return len(answers) == len(expected) and all(
        abs(mine - theirs) <= TOLERANCE
        for one, other in zip(answers, expected, strict=True)
        for mine, theirs in zip(one, other, strict=True)
    )


def _batch(port: int, body: bytes) -> list[list[float]]:
    accepted = _asked(port, "POST", "/predict/batch/", body, ACCEPTED)
    give_up_at = time.monotonic() + ANSWER_SECONDS
    while time.monotonic() < give_up_at:
        task = _asked(port, "GET", f"{accepted['status_url']}?wait=20", b"", OK)
        if task["status"] == "SUCCESS":
            return [list(one["probabilities"].values()) for one in task["result"]["predictions"]]
        if task["status"] in {"FAILURE", "REVOKED"}:
            raise LoadFailed(f"the batch ended as {task['status']}: {task['error']}")
    raise LoadFailed(f"the batch has not ended after {ANSWER_SECONDS} s")


def _naive(path: str) -> Callable[[int, bytes], list[list[float]]]:
    def predict(port: int, body: bytes) -> list[list[float]]:
        answers: list[list[float]] = _asked(port, "POST", path, body, OK)["probabilities"]
        return answers

    return predict


def _asked(port: int, method: str, path: str, body: bytes, status: int) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS)
    try:
        connection.request(method, path, body or None, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
    finally:
        connection.close()
    if answer.status != status:
        raise LoadFailed(f"{path} answered {answer.status}: {text[:300]!r}")
    return json.loads(text)


def show(figures: Figures) -> list[str]:
    """A line for each way."""
    titles = {
        "batch": "`POST /predict/batch/`",
        "task_of_records": "naive, one task of records",
        "task_per_row": "naive, a task for each row",
    }
    rows = [
        [titles[name], shown(median(times)), str(paired(times, figures["microseconds_per_row"]["batch"]))]
        for name, times in figures["microseconds_per_row"].items()
    ]
    return table(["", "µs a row", "times the batch"], rows)
