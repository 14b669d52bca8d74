"""The layer and each function as they are deployed: alone, without this repository, and small."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.e2e
EVENT = Path(__file__).parents[2] / "infra" / "events" / "task-status-live.json"
FUNCTIONS = ("PredictSyncFunction", "PredictAsyncFunction", "TaskStatusFunction")
MEGABYTE = 1_000_000
LIMIT_BYTES = 28 * MEGABYTE

ALONE = """
import compileall, json, pathlib, shutil, sys
shutil.copytree("/layer", "/tmp/layer")
shutil.copytree("/function", "/tmp/function")
sys.path[:0] = ["/tmp/function", "/tmp/layer"]
compileall.compile_dir("/tmp/layer", quiet=2)
compileall.compile_dir("/tmp/function", quiet=2)
sizes = {
    name: sum(file.stat().st_size for file in pathlib.Path("/tmp", name).rglob("*") if file.is_file())
    for name in ("layer", "function")
}
import app
answer = app.handler(json.load(open("/event.json")), None)
sys.stdout.write(json.dumps({"answer": answer, "sizes": sizes}))
"""


def run_alone(layer: Path, function: Path) -> dict[str, Any]:
    """Run a function with its layer in a container that has a bare Python 3.13 and no network."""
    volumes = [f"{layer}:/layer:ro", f"{function}:/function:ro", f"{EVENT}:/event.json:ro"]
    mounts = [argument for volume in volumes for argument in ("--volume", volume)]
    command = ["docker", "run", "--rm", "--network", "none", *mounts, "python:3.13-slim"]
    done = subprocess.run(
        [*command, "python", "-I", "-c", ALONE], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


@pytest.fixture(scope="module")
def alone(sam_build: Path) -> dict[str, dict[str, Any]]:
    """What each function told."""
    layer = sam_build / "TandemLayer" / "python"
    return {name: run_alone(layer, sam_build / name) for name in FUNCTIONS}


def test_a_function_needs_its_layer_and_nothing_else(alone: dict[str, dict[str, Any]]) -> None:
    """With neither broker nor store nor this repository each imports and says that it is alive."""
    assert {name: told["answer"]["statusCode"] for name, told in alone.items()} == dict.fromkeys(
        FUNCTIONS, 200
    )


def test_layer_and_functions_stay_small(alone: dict[str, dict[str, Any]]) -> None:
    """Unzipped and compiled: what a cold start has to load."""
    layer = alone[FUNCTIONS[0]]["sizes"]["layer"]
    total = layer + sum(told["sizes"]["function"] for told in alone.values())
    assert total <= LIMIT_BYTES, f"{total / MEGABYTE:.1f} MB"


def test_the_layer_brings_its_bytecode(sam_build: Path) -> None:
    """Of every module: below /opt nothing can be written, so a function would compile them at every start."""
    layer = sam_build / "TandemLayer" / "python"
    modules = {file.relative_to(layer) for file in layer.rglob("*.py")}
    compiled = {
        file.parent.parent.relative_to(layer) / (file.name.partition(".")[0] + ".py")
        for file in layer.rglob("__pycache__/*.cpython-313.pyc")
    }
    assert Path("tandem/backplane/http.py") in modules
    assert compiled == modules
