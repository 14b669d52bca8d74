"""The edge starts in a fraction of a second because it never imports what only a worker needs."""

import json
import subprocess
import sys

import pytest

HEAVY = {
    "mlflow",
    "pandas",
    "numpy",
    "sklearn",
    "scipy",
    "celery",
    "boto3",
    "botocore",
    "matplotlib",
    "uvicorn",
}
PROGRAM = "import json, sys; import functions.{name}.app; print(json.dumps(sorted(sys.modules)))"


@pytest.mark.parametrize("name", ["predict_sync", "predict_async", "task_status", "operations", "uploads"])
def test_a_function_imports_nothing_heavy(name: str) -> None:
    """Asked of a fresh interpreter, whatever this test process has imported."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(name=name)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert HEAVY.isdisjoint(module.partition(".")[0] for module in json.loads(done.stdout))
