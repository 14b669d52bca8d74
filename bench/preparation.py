"""What has to be there before anything is measured: the model, and an environment for each peer."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import sysconfig
from typing import TYPE_CHECKING

from bench import place

if TYPE_CHECKING:
    from pathlib import Path

TRAIN_SECONDS = 600
INSTALL_SECONDS = 900


class NotPrepared(RuntimeError):
    """Something could not be made; the text says what, and why."""


def requirements(peer: str) -> Path:
    """The pinned packages of a peer, compiled from `requirements.in` beside them; the layer has its own."""
    if peer == "layer":
        return place.ROOT / "common" / "requirements.txt"
    directory = place.HERE / peer if peer in {"naive", "cold"} else place.HERE / "peers" / peer
    return directory / "requirements.txt"


def make_model() -> None:
    """Train and ask once, and again when the programs that do so are other ones."""
    directory = place.ROWS.parent
    programs = [place.HERE / name for name in ("model.py", "slow_model.py", "counted_model.py")]
    wanted = hashlib.sha256(b"".join(program.read_bytes() for program in programs)).hexdigest()
    stamp = directory / "made"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    print("bench: training the model and asking it 10,000 rows one by one, once", flush=True)
    _run([sys.executable, "-m", "bench.model", str(directory)], place.LOGS / "model.log", TRAIN_SECONDS)
    stamp.write_text(wanted, encoding="utf-8")


def make_environment(peer: str) -> None:
    """Install a peer's packages with uv; returns at once when they are there as pinned."""
    wanted = hashlib.sha256(requirements(peer).read_bytes() + sys.version.encode()).hexdigest()
    stamp = place.PLACE / peer / "installed"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return
    print(f"bench: installing {peer}", flush=True)
    uv = shutil.which("uv", path=sysconfig.get_path("scripts")) or "uv"
    directory, log = place.environment(peer), place.LOGS / f"install-{peer}.log"
    shutil.rmtree(directory, ignore_errors=True)
    _run([uv, "venv", "--quiet", "--python", sys.executable, str(directory)], log, INSTALL_SECONDS)
    sync = [uv, "pip", "sync", "--quiet", "--python", place.python(peer)]
    _run([*sync, str(requirements(peer))], log, INSTALL_SECONDS)
    stamp.write_text(wanted, encoding="utf-8")


def _run(command: list[str], log: Path, seconds: float) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        try:
            done = subprocess.run(
                command,
                cwd=place.ROOT,
                env=place.variables(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=seconds,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NotPrepared(f"{command[0]}: {error}") from error
    if done.returncode:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        raise NotPrepared(f"status {done.returncode}: {' '.join(lines[-3:])[-300:]}")
