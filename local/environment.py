"""The Python environment in `.venv`, made from `uv.lock` by a bare Python, remade when stale or half made.

Standard library only. The stamp inside reads "making" from before the first step until after the last, so
that whatever was interrupted is begun anew and never trusted. `TANDEM_VENV=DIRECTORY` names an environment
to be used as it is: nothing is made or changed then.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from local.environment_stamp import Stamp, digest, locked_version
from local.lock import Lock

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


class SetupError(RuntimeError):
    """The environment cannot be made; the text is one line that says why and what to do."""


@dataclass(frozen=True)
class Environment:
    """One virtual environment for the checkout `root`; `managed` when it is ours to make."""

    root: Path
    directory: Path
    managed: bool = True

    @classmethod
    def of(cls, root: Path, variables: Mapping[str, str] = os.environ) -> Environment:
        """The environment that the variables ask for: `TANDEM_VENV`, else `.venv` in the checkout."""
        given = variables.get("TANDEM_VENV")
        return cls(root, Path(given).absolute(), managed=False) if given else cls(root, root / ".venv")

    @property
    def python(self) -> Path:
        """The interpreter of the environment."""
        return self._program("python")

    def is_current(self) -> bool:
        """Whether this process runs in the environment."""
        return Path(sys.prefix).resolve() == self.directory.resolve()

    def variables(self) -> dict[str, str]:
        """What a process in it gets: no other environment, a writable home, this checkout's code."""
        # Without compiled bytecode every start would read MLflow's sources again: 6.6 s instead of 2.3 s.
        dropped = {"VIRTUAL_ENV", "PYTHONHOME", "PYTHONDONTWRITEBYTECODE"}
        variables = {key: value for key, value in os.environ.items() if key not in dropped}
        if os.name == "posix" and not os.access(variables.get("HOME") or "/nonexistent", os.W_OK | os.X_OK):
            home = self.root / ".tandem" / "home"
            home.mkdir(parents=True, exist_ok=True)
            variables["HOME"] = str(home)
        if not self.managed:
            given = variables.get("PYTHONPATH", "").split(os.pathsep)
            own = [str(self.root), str(self.root / "common")]
            variables["PYTHONPATH"] = os.pathsep.join(
                [*own, *(path for path in given if path and path not in own)]
            )
        return variables

    def ensure(self, groups: Collection[str]) -> None:
        """Make or renew the environment until it holds `groups` as locked; returns at once when it does.

        Raises SetupError when it cannot be made.
        """
        if not self.managed:
            if not self.python.exists():
                raise SetupError(f"TANDEM_VENV names {self.directory}, which holds no Python environment")
            return
        if self._holds(groups):
            return
        with Lock(self.root / ".tandem" / "environment.lock") as lock:
            if not lock.take():
                print("tandem: another start is making the environment; waiting for it", file=sys.stderr)
                lock.take(wait=True)
            if not self._holds(groups):
                self._make(sorted({*groups, *Stamp.read(self.directory).groups}), lock)

    def _holds(self, groups: Collection[str]) -> bool:
        stamp = Stamp.read(self.directory)
        same = stamp.state == "ready" and stamp.lock == digest(self.root / "uv.lock")
        return same and set(groups) <= set(stamp.groups) and self.python.exists()

    def _make(self, groups: list[str], lock: Lock) -> None:
        started = time.monotonic()
        half_made = Stamp.read(self.directory).state == "making" or not self.python.exists()
        if half_made and self.directory.exists():
            shutil.rmtree(self.directory)
        fresh = not self.directory.exists()
        size = ": once, some 890 MB to fetch and unpack" if fresh else ""
        print(f"tandem: setting up the environment in {self.directory}{size}", file=sys.stderr)
        self.directory.mkdir(parents=True, exist_ok=True)
        made_from = digest(self.root / "uv.lock")
        Stamp("making", made_from, tuple(groups)).write(self.directory)
        if fresh:
            self._create(lock)
        self._sync(groups, lock)
        Stamp("ready", made_from, tuple(groups)).write(self.directory)
        print(f"tandem: the environment is ready after {time.monotonic() - started:.0f} s", file=sys.stderr)

    def _create(self, lock: Lock) -> None:
        missing = [name for name in ("venv", "ensurepip") if importlib.util.find_spec(name) is None]
        if missing:
            package = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
            raise SetupError(
                f"{sys.executable} lacks its standard module {missing[0]}, which makes environments; "
                f"on Debian and Ubuntu `apt-get install {package}` adds it"
            )
        # From inside an environment that has to go, the Python it was made with is the one that stays.
        base = getattr(sys, "_base_executable", sys.executable)
        self._step("making the virtual environment", [base, "-m", "venv", str(self.directory)], lock)

    def _sync(self, groups: list[str], lock: Lock) -> None:
        version = locked_version("uv", self.root / "uv.lock")
        python = str(self.python)
        if not self._has_uv(version):
            if not self._program("pip").exists():
                self._step("adding pip", [python, "-m", "ensurepip"], lock)
            install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            self._step(f"installing uv {version}", [*install, "--force-reinstall", f"uv=={version}"], lock)
        chosen = [argument for group in groups for argument in ("--group", group)]
        sync = [str(self._program("uv")), "sync", "--frozen", "--inexact", "--no-default-groups"]
        self._step("installing the locked packages", [*sync, *chosen, "--python", python], lock)

    def _has_uv(self, version: str) -> bool:
        try:
            asked = [str(self._program("uv")), "--version"]
            answer = subprocess.run(asked, capture_output=True, text=True, timeout=30, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return False
        return answer.stdout.split()[1:2] == [version]

    def _step(self, what: str, arguments: list[str], lock: Lock) -> None:
        variables = self.variables() | {
            "UV_PROJECT_ENVIRONMENT": str(self.directory),
            "UV_PYTHON_DOWNLOADS": "never",
            "UV_SYSTEM_CERTS": os.environ.get("UV_SYSTEM_CERTS", "true"),
        }
        # The step holds the lock with us: should we be killed, nobody touches the environment while it runs.
        kept = () if os.name == "nt" else (lock.fileno(),)
        done = subprocess.run(
            arguments,
            cwd=self.root,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
            pass_fds=kept,
            check=False,
        )
        if done.returncode:
            raise SetupError(f"{what} failed with status {done.returncode}; its own words are above")

    def _program(self, name: str) -> Path:
        return self.directory / (f"Scripts/{name}.exe" if os.name == "nt" else f"bin/{name}")
