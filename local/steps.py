"""Steps of a longer run: each says when it begins, what it runs, and how long it took."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


class StepFailed(RuntimeError):
    """A step ended badly; its own words have been printed."""


@contextlib.contextmanager
def step(name: str) -> Iterator[None]:
    """Print what begins, and how long it took."""
    print(f"\n=== {name}", flush=True)
    started = time.monotonic()
    try:
        yield
    finally:
        print(f"=== {name}: {time.monotonic() - started:.0f} s", flush=True)


def run(
    command: Sequence[str], *, directory: Path, seconds: float, variables: Mapping[str, str] | None = None
) -> None:
    """Run a program to its end, without standard input; StepFailed when it fails or takes too long."""
    name = Path(command[0]).name
    try:
        done = subprocess.run(
            command,
            cwd=directory,
            env={**os.environ, **(variables or {})},
            stdin=subprocess.DEVNULL,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise StepFailed(f"{name} took over {seconds:.0f} s") from error
    if done.returncode:
        raise StepFailed(f"{name} ended with status {done.returncode}")
