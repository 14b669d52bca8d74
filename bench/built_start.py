"""Cold start of what is deployed: a function's directory and the layer, under Lambda's runtime client.

The layer is made as `common/Makefile` makes it, for the Python that measures: packages in a directory, the
package tandem, bytecode. The bare function has the same layer. From the start of the client's process to the
answer that it posts; nothing can be written where the function lies, as in Lambda.
"""

from __future__ import annotations

import json
import queue
import shutil
import subprocess
import sys
import sysconfig
import time
from typing import TYPE_CHECKING

from bench import place
from bench.cold_start import ANSWER_SECONDS, BARE, OWN, ROUNDS, STARTS, children_cpu, event_of
from bench.preparation import make_environment, requirements
from bench.runtime_api import REQUEST_ID, RuntimeApi, Told
from bench.statistics import median, paired, shown
from bench.tables import table
from bench.tandem import tandem
from bench.window import LoadFailed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bench.bench import Bench, Figures

BUILD_SECONDS = 300
BUILT = place.PLACE / "built"
LAYER = BUILT / "layer" / "python"


def measure(bench: Bench) -> Figures:
    """Milliseconds of every start; the first round only warms the page cache."""
    make_environment("runtime")
    _build()
    found: dict[str, list[float]] = {name: [] for name in (*OWN, BARE)}
    used: dict[str, list[float]] = {name: [] for name in found}
    with tandem().running(bench.servers):
        variables = place.variables(
            BROKER_URL=bench.servers.broker_url,
            REDIS_URL=bench.servers.redis_url,
            AWS_LAMBDA_FUNCTION_NAME="bench",
            AWS_LAMBDA_FUNCTION_VERSION="1",
            AWS_LAMBDA_FUNCTION_MEMORY_SIZE="1769",
            AWS_REGION="eu-central-1",
            PYTHONPATH=str(LAYER),
            PYTHONDONTWRITEBYTECODE="1",
        )
        for number in range(ROUNDS + 1):
            for name in found if number % 2 == 0 else reversed(found):
                seconds, cpu_seconds = _answered(name, variables)
                if number:
                    found[name].append(round(seconds * 1e3, 1))
                    used[name].append(round(cpu_seconds * 1e3, 1))
    worst = max(OWN, key=lambda name: median(found[name]))
    return {
        "milliseconds": found,
        "cpu_milliseconds": used,
        "against_bare": paired(found[worst], found[BARE]),
    }


def _build() -> None:
    shutil.rmtree(BUILT, ignore_errors=True)
    uv = shutil.which("uv", path=sysconfig.get_path("scripts")) or "uv"
    install = [uv, "pip", "install", "--quiet", "--python", place.python("runtime"), "--target", str(LAYER)]
    compiled = [sys.executable, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", str(LAYER)]
    subprocess.run(
        [*install, "--no-deps", "--requirement", str(requirements("layer"))],
        env=place.variables(),
        timeout=BUILD_SECONDS,
        check=True,
    )
    without = shutil.ignore_patterns("__pycache__")
    shutil.copytree(place.ROOT / "common" / "tandem", LAYER / "tandem", ignore=without)
    subprocess.run(compiled, timeout=BUILD_SECONDS, check=True)
    for name in OWN:
        shutil.copytree(place.ROOT / "functions" / name, BUILT / name, ignore=without)
    (BUILT / BARE).mkdir()
    shutil.copy(place.HERE / "cold" / "bare_function.py", BUILT / BARE / "app.py")


def _answered(name: str, variables: Mapping[str, str]) -> tuple[float, float]:
    """Seconds from the start of the client to the function's answer, and what it used of the processor.

    Raises LoadFailed when the answer is not the one expected.
    """
    log = place.LOGS / f"built-{name}.log"
    api = RuntimeApi(event_of(STARTS[name]).read_bytes())
    used = children_cpu()
    with api.serving(), log.open("wb") as output:
        began = time.perf_counter()
        client = subprocess.Popen(
            [place.python("runtime"), "-m", "awslambdaric", "app.handler"],
            cwd=BUILT / name,
            env={**variables, "AWS_LAMBDA_RUNTIME_API": api.address},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            told = api.told.get(timeout=ANSWER_SECONDS)
        except queue.Empty:
            raise LoadFailed(f"{name} has not answered: {_end_of(log)}") from None
        finally:
            client.kill()
            client.wait()
    if not _is_answer(told, STARTS[name].status):
        raise LoadFailed(f"{name} answered {told.path} {told.body[:200]!r}: {_end_of(log)}")
    return told.at - began, children_cpu() - used


def _is_answer(told: Told, status: int) -> bool:
    path = f"/2018-06-01/runtime/invocation/{REQUEST_ID}/response"
    return told.path == path and json.loads(told.body).get("statusCode") == status


def _end_of(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-400:]


def show(figures: Figures) -> list[str]:
    """A table of medians, and how they compare."""
    found, used = figures["milliseconds"], figures["cpu_milliseconds"]
    rows = [
        [name, shown(median(times)), shown(median(used[name])), str(paired(times, found[BARE]))]
        for name, times in found.items()
    ]
    return table(["function", "ms", "CPU ms", "by a bare FastAPI function"], rows)
