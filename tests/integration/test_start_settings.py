"""Functions, worker, gateway and authorizer end at their start where a setting is wrong or missing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tandem.backplane.settings import Settings

ROOT = Path(__file__).parents[2]
IN_LAMBDA = {"AWS_LAMBDA_FUNCTION_NAME": "f", "BROKER_URL": "amqp://a//", "REDIS_URL": "redis://a/0"}
LAMBDA = [sys.executable, "-c", "import app; app.handler"]
UVICORN = [sys.executable, "-m", "uvicorn", "--port", "0"]
CELERY = [sys.executable, "-m", "celery", "--app", "worker.app", "worker", "--pool", "solo"]
FUNCTIONS = ("predict_sync", "predict_async", "task_status", "operations", "uploads")


def ends(command: list[str], folder: str, variables: dict[str, str]) -> str:
    """The one line with which a process ends that finds its own folder first, as Lambda has it."""
    settings = {name.upper() for name in Settings.model_fields}
    inherited = {name: value for name, value in os.environ.items() if name not in settings}
    path = os.pathsep.join(str(ROOT / part) for part in (folder, "", "common"))
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**inherited, "PYTHONPATH": path, "PYTHONWARNINGS": "ignore", **variables},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    [line] = [*done.stdout.splitlines(), *done.stderr.splitlines()]
    return line


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_in_lambda(function: str) -> None:
    """While Lambda imports it, so that no request ever meets it."""
    folder = f"functions/{function}"
    wrong = ends(LAMBDA, folder, IN_LAMBDA | {"SYNC_TIMEOUT_SECONDS": "soon"})
    assert "wrong setting: SYNC_TIMEOUT_SECONDS: " in wrong
    missing = ends(LAMBDA, folder, {"AWS_LAMBDA_FUNCTION_NAME": "f"})
    assert missing.endswith("missing setting: BROKER_URL, REDIS_URL")


@pytest.mark.parametrize("value", [None, "", '{"digest": "alice"}'])
def test_the_authorizer(value: str | None) -> None:
    """Its secret must have a name, and not be the value itself."""
    given = {} if value is None else {"API_KEYS_SECRET": value}
    line = ends(LAMBDA, "functions/authorizer", {"AWS_LAMBDA_FUNCTION_NAME": "f", **given})
    assert line == "authorizer: wrong setting: API_KEYS_SECRET names no secret"


@pytest.mark.parametrize("app", ["functions.predict_sync.app:app", "local.gateway:app"])
def test_a_server(app: str) -> None:
    """Before it listens."""
    assert "wrong setting: LOG_LEVEL: " in ends([*UVICORN, app], "", {"LOG_LEVEL": "loud"})


def test_a_worker() -> None:
    """Before it asks broker or registry for anything."""
    assert "wrong setting: MAX_ATTEMPTS: " in ends(CELERY, "", {"MAX_ATTEMPTS": "many"})
    assert "missing setting: MLFLOW_TRACKING_URI" in ends(CELERY, "", {})
