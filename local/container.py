"""A server in a container, for machines that have a container engine and not the server itself."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

from local.child import Child

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

ENGINES = ("docker", "podman")


def container_engine() -> str | None:
    """The path of a container engine that answers, None when there is none."""
    for name in ENGINES:
        program = shutil.which(name)
        if program is None:
            continue
        try:
            asked = subprocess.run([program, "info"], capture_output=True, timeout=20, check=False)
        except (OSError, subprocess.TimeoutExpired):
            continue
        if asked.returncode == 0:
            return program
    return None


class Container(Child):
    """One container, run in the foreground by the engine's client, removed when it ends."""

    def __init__(
        self,
        name: str,
        *,
        engine: str,
        image: str,
        ports: Mapping[int, int],
        data: tuple[Path, str],
        log: Path,
        variables: Mapping[str, str] | None = None,
        arguments: Sequence[str] = (),
    ) -> None:
        """`ports`: outside (loopback) to inside; `data`: a directory here and its path inside."""
        self.engine = engine
        data[0].mkdir(parents=True, exist_ok=True)
        published = [f"--publish=127.0.0.1:{host}:{inside}" for host, inside in ports.items()]
        settings = [f"--env={key}={value}" for key, value in (variables or {}).items()]
        owner = [f"--user={os.getuid()}:{os.getgid()}"] if os.name == "posix" else []
        if "podman" in engine:
            owner.append("--userns=keep-id")
        volume = f"--volume={data[0]}:{data[1]}:Z"
        run = [
            engine,
            "run",
            "--rm",
            f"--name={name}",
            f"--hostname={name}",
            volume,
            *published,
            *settings,
            *owner,
        ]
        super().__init__(name, [*run, image, *arguments], log=log)

    def start(self) -> None:
        """Start it, after removing a container of the same name that a killed owner left."""
        self._ask("rm", "--force", self.name)
        super().start()

    def pause(self) -> None:
        """Let all of the container stand still until `resume`."""
        self._ask("pause", self.name)

    def resume(self) -> None:
        """Let it go on after `pause`."""
        self._ask("unpause", self.name)

    def kill(self) -> None:
        """End the server at once (kill -9)."""
        self._ask("kill", self.name)
        super().kill()

    def execute(self, *arguments: str, timeout_seconds: float = 60) -> str:
        """What a program prints in the container; CalledProcessError when it fails."""
        asked = [self.engine, "exec", self.name, *arguments]
        done = subprocess.run(asked, capture_output=True, text=True, timeout=timeout_seconds, check=True)
        return done.stdout

    def _ask(self, *arguments: str) -> None:
        subprocess.run([self.engine, *arguments], capture_output=True, timeout=30, check=False)
