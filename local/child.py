"""A program with an owner: it logs to a file, dies with its owner, and is stopped within a bound.

It runs in a session of its own, so that Ctrl-C reaches the owner alone, who then decides the order.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

LOG_BYTES = 5_000_000
STEP_SECONDS = 0.05
GUARDIAN = Path(__file__).with_name("guardian.py")


class StartError(RuntimeError):
    """A program could not be started or did not become ready; the text says which, and why."""


class Child:
    """One program, started by `start`, which may be called again after it has ended."""

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        *,
        log: Path,
        variables: Mapping[str, str] | None = None,
        directory: Path | None = None,
        stop_seconds: float = 10,
    ) -> None:
        self.name = name
        self.log = log
        self._arguments = list(arguments)
        self._variables = dict(variables) if variables is not None else None
        self._directory = directory
        self._stop_seconds = stop_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._guardian: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id; ValueError before the first start."""
        if self._process is None:
            raise ValueError(f"{self.name} has not been started")
        return self._process.pid

    @property
    def exit_status(self) -> int | None:
        """The exit status once it has ended, None while it runs or before it was started."""
        return None if self._process is None else self._process.poll()

    @property
    def is_alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it; StartError when the program is not there."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        if shutil.which(self._arguments[0]) is None:
            raise StartError(f"{self.name} cannot be started: there is no {self._arguments[0]}")
        self._dismiss_guardian()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._arguments,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self._directory,
                env=self._variables,
                start_new_session=True,
            )
        if os.name == "posix":
            guardian = [sys.executable, "-I", "-S", str(GUARDIAN), str(self.pid), str(self._stop_seconds)]
            self._guardian = subprocess.Popen(guardian, stdin=subprocess.PIPE, start_new_session=True)

    def wait_until(self, is_ready: Callable[[], bool], *, timeout_seconds: float) -> None:
        """Wait until `is_ready()`; StartError with the end of its log when it dies or takes too long."""
        deadline = time.monotonic() + timeout_seconds
        while not is_ready():
            if not self.is_alive:
                raise StartError(f"{self.name} ended with status {self.exit_status}:\n{self.log_end()}")
            if time.monotonic() > deadline:
                raise StartError(f"{self.name} was not ready in {timeout_seconds:.0f} s:\n{self.log_end()}")
            time.sleep(STEP_SECONDS)

    def log_end(self, lines: int = 12) -> str:
        """The last lines of its log, for an error message."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])

    def pause(self) -> None:
        """Let it stand still until `resume`, its connections staying open."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after `pause`."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """Ask it to end, wait, and kill what is left of it and of what it started."""
        if self._process is None:
            return
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(self._stop_seconds)
        self.kill()

    def kill(self) -> None:
        """End it, and whatever it started, at once (kill -9)."""
        if self._process is None:
            return
        if os.name == "posix":
            # Nothing may be left of its group; macOS says EPERM for a group of zombies.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        else:
            self._process.kill()
        self._process.wait(self._stop_seconds)
        self._dismiss_guardian()

    def _dismiss_guardian(self) -> None:
        if self._guardian is not None:
            self._guardian.communicate(b"x", timeout=self._stop_seconds)
            self._guardian = None
