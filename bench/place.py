"""Where the measurements keep what they need, and where each peer's environment is: `.tandem/bench/`."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HERE = Path(__file__).resolve().parent
PLACE = ROOT / ".tandem" / "bench"
ROWS = PLACE / "model" / "rows.json"
MODEL = PLACE / "model" / "model"
REGISTRY = f"sqlite:///{PLACE / 'model' / 'mlflow.db'}"
LOGS = PLACE / "logs"
DROPPED = {"VIRTUAL_ENV", "PYTHONHOME", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "BROKER_URL", "REDIS_URL"}


def environment(peer: str) -> Path:
    """The virtual environment of a peer."""
    return PLACE / peer / "venv"


def python(peer: str) -> str:
    """The interpreter of a peer's environment."""
    return str(environment(peer) / "bin" / "python")


def variables(**own: str) -> dict[str, str]:
    """The environment of every measured process: one thread for numeric libraries, nothing sent anywhere."""
    kept = {name: value for name, value in os.environ.items() if name not in DROPPED}
    return kept | {
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONUNBUFFERED": "1",
        "GIT_PYTHON_REFRESH": "quiet",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "BENTOML_DO_NOT_TRACK": "true",
        "RAY_USAGE_STATS_ENABLED": "0",
        "BENCH_MODEL": str(MODEL),
        **own,
    }
