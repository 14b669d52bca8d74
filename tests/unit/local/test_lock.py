"""One process at a time holds a lock, and its death releases it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from local.lock import Lock

CHECKOUT = Path(__file__).parents[3]


def test_the_death_of_the_holder_releases_the_lock(tmp_path: Path) -> None:
    """While another process holds it, it cannot be taken; after kill -9 it can, with nothing to clean up."""
    path = tmp_path / "dir" / "lock"
    program = (
        "import time; from pathlib import Path; from local.lock import Lock\n"
        f"lock = Lock(Path({str(path)!r})); print(lock.take(), flush=True); time.sleep(60)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(CHECKOUT)}
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, env=environment) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"True\n"
        assert not Lock(path).take()
        holder.kill()
    with Lock(path) as lock:
        assert lock.take(wait=True)
        assert not Lock(path).take()
    with Lock(path) as lock:
        assert lock.take()
