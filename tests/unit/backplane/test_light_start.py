"""A function is imported without a garbage collection, and without building FastAPI's models of OpenAPI."""

import subprocess
import sys

import pytest

FUNCTIONS = ("operations", "predict_async", "predict_sync", "task_status", "uploads")
PROGRAM = """
import gc, importlib, sys
large = []
gc.callbacks.append(lambda phase, info: large.append("fastapi" in sys.modules))
importlib.import_module(f"functions.{sys.argv[1]}.app")
assert not any(large), large
assert gc.isenabled() and gc.get_count()[0] < gc.get_threshold()[0]
assert not gc.get_freeze_count()
assert len(gc.get_objects(generation=2)) > 20 * len(gc.get_objects(generation=1))
assert gc.get_threshold()[2] >= 1_000
"""
DEFERRED = """
import importlib, sys
app = importlib.import_module(f"functions.{sys.argv[1]}.app").app
from fastapi.openapi.models import Info, OpenAPI
from pydantic import BaseModel
assert "defer_build" not in BaseModel.model_config
assert not Info.__pydantic_complete__, "built while importing"
class Later(BaseModel):
    field: int
assert Later.__pydantic_complete__, "ours are built as ever"
assert OpenAPI.model_validate(app.openapi()).info.title == app.title and app.openapi()["paths"]
"""


@pytest.mark.parametrize("name", FUNCTIONS)
def test_fastapis_models_are_built_when_the_document_is_asked_for(name: str) -> None:
    """And not while a function starts; other models are built as ever."""
    done = subprocess.run([sys.executable, "-c", DEFERRED, name], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", FUNCTIONS)
def test_importing_a_function_collects_nothing(name: str) -> None:
    """The import of the collector's rest comes first and its end last; what was imported is old then."""
    done = subprocess.run([sys.executable, "-c", PROGRAM, name], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
