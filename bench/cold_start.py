"""Cold start: a fresh process to the first answer of a function's handler, as Lambda would have it.

Each function does real work: it connects, and publishes, waits or reads. Beside it, in turns, stand a bare
FastAPI function that does nothing and one with a Celery and a boto3 client that sends a task. The packages
are exactly the layer's (`common/requirements.txt`), installed by themselves, compiled by the first round.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import time
from typing import TYPE_CHECKING, NamedTuple

from bench import place
from bench.preparation import make_environment
from bench.statistics import median, paired, shown
from bench.tables import table
from bench.tandem import tandem
from bench.window import LoadFailed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bench.bench import Bench, Figures

ROUNDS = 12
ANSWER_SECONDS = 60
OWN = ("predict_async", "predict_sync", "task_status")
BARE, NAIVE = "bare", "celery"
UNKNOWN_TASK = "/monitoring/task_status/00000000-0000-4000-8000-000000000000"


class Start(NamedTuple):
    """One way to start: the environment, the module with the handler, the request, the answer's status."""

    peer: str
    module: str
    method: str
    path: str
    status: int


STARTS = {
    "predict_async": Start("layer", "functions.predict_async.app", "POST", "/predict/async/", 202),
    "predict_sync": Start("layer", "functions.predict_sync.app", "POST", "/predict/", 200),
    "task_status": Start("layer", "functions.task_status.app", "GET", UNKNOWN_TASK, 404),
    BARE: Start("layer", "bare_function", "POST", "/predict/async/", 200),
    NAIVE: Start("cold", "celery_function", "POST", "/predict/async/", 200),
}


def measure(bench: Bench) -> Figures:
    """Milliseconds of every start; the first round only warms the page cache."""
    for peer in ("layer", "cold"):
        make_environment(peer)
    found: dict[str, list[float]] = {name: [] for name in STARTS}
    used: dict[str, list[float]] = {name: [] for name in STARTS}
    with tandem().running(bench.servers):
        variables = place.variables(
            BROKER_URL=bench.servers.broker_url,
            REDIS_URL=bench.servers.redis_url,
            NAIVE_BROKER=bench.servers.broker_url,
            NAIVE_BACKEND=bench.servers.redis_url.removesuffix("/0") + "/1",
            AWS_ACCESS_KEY_ID="none",
            AWS_SECRET_ACCESS_KEY="none",  # noqa: S106  nothing is asked of AWS
            PYTHONPATH=os.pathsep.join(map(str, (place.ROOT, place.ROOT / "common", place.HERE / "cold"))),
        )
        for number in range(ROUNDS + 1):
            for name, start in STARTS.items() if number % 2 == 0 else reversed(STARTS.items()):
                seconds, cpu_seconds = _answered(start, event_of(start), variables)
                if number:
                    found[name].append(round(seconds * 1e3, 1))
                    used[name].append(round(cpu_seconds * 1e3, 1))
    worst = max(OWN, key=lambda name: median(found[name]))
    return {
        "milliseconds": found,
        "cpu_milliseconds": used,
        "against_naive": paired(found[worst], found[NAIVE]),
        "against_bare": paired(found[worst], found[BARE]),
    }


def event_of(start: Start) -> Path:
    """The file of the event that this start is to answer, just written."""
    event = json.loads((place.ROOT / "infra" / "events" / "predict-async.json").read_text(encoding="utf-8"))
    row = json.loads(place.ROWS.read_text(encoding="utf-8"))["rows"][0]
    body = json.dumps({"features": row}) if start.method == "POST" else ""
    event |= {"rawPath": start.path, "body": body, "isBase64Encoded": False}
    event["routeKey"] = f"{start.method} {start.path}"
    event["requestContext"]["http"] |= {"method": start.method, "path": start.path}
    event["headers"] |= {"content-type": "application/json", "content-length": str(len(body))}
    file = place.PLACE / f"event-{start.module}.json"
    file.write_text(json.dumps(event), encoding="utf-8")
    return file


def _answered(start: Start, event: Path, variables: Mapping[str, str]) -> tuple[float, float]:
    """Seconds from the start of the process to its answer, and what it used of the processor meanwhile.

    Raises LoadFailed when the answer is not the one expected.
    """
    program = str(place.HERE / "cold" / "answer.py")
    used, began = children_cpu(), time.perf_counter()
    done = subprocess.run(
        [place.python(start.peer), program, start.module, str(event)],
        env=dict(variables),
        capture_output=True,
        text=True,
        timeout=ANSWER_SECONDS,
        check=False,
    )
    seconds = time.perf_counter() - began
    said = done.stdout.strip().splitlines()[-1:]
    if said != [str(start.status)]:
        raise LoadFailed(f"{start.module} answered {said} and not {start.status}: {done.stderr[-400:]}")
    return seconds, children_cpu() - used


def children_cpu() -> float:
    """Processor time of all children that have ended: one at a time ends here."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def show(figures: Figures) -> list[str]:
    """A table of medians, and how they compare."""
    found, used = figures["milliseconds"], figures["cpu_milliseconds"]
    rows = [
        [
            name,
            shown(median(times)),
            shown(median(used[name])),
            str(paired(times, found[BARE])),
            str(paired(times, found[NAIVE])),
        ]
        for name, times in found.items()
    ]
    return table(
        ["function", "ms", "CPU ms", "by a bare FastAPI function", "by FastAPI + Celery + boto3"], rows
    )
