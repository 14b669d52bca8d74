"""compose.yaml brought up as a project of its own, on free ports, and taken down without a trace."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

BUILD_SECONDS = 1500
WAIT_SECONDS = 300
STOP_SECONDS = 20
ANY_PORT = {"PORT": "0", "MLFLOW_PORT": "0", "RABBITMQ_MANAGEMENT_PORT": "0"}


class CompositionError(RuntimeError):
    """compose did not do what it was asked to; its own words have been printed."""


class Composition:
    """One project; its owner calls `down`, whatever became of `up`."""

    def __init__(self, root: Path, project: str) -> None:
        self.project = project
        self.network = f"{project}_default"
        self._root = root

    def build(self) -> None:
        """Build every image."""
        self._run("build", timeout_seconds=BUILD_SECONDS)

    def up(self) -> None:
        """Start everything and wait until it is healthy; CompositionError when that takes too long."""
        wait = ["--wait", "--wait-timeout", str(WAIT_SECONDS)]
        self._run("up", "--detach", *wait, timeout_seconds=WAIT_SECONDS + 120)

    def address(self, service: str, port: int) -> str:
        """Where a port of a service is published."""
        asked = self._command("port", service, str(port))
        done = subprocess.run(
            asked, cwd=self._root, env=_variables(), capture_output=True, text=True, timeout=60, check=True
        )
        return done.stdout.strip()

    def show_state(self) -> None:
        """Print what runs and the end of every log."""
        self._run("ps", "--all", must_succeed=False)
        self._run("logs", "--no-color", "--tail", "40", must_succeed=False)

    def down(self) -> None:
        """Remove containers, volumes, network and images; harmless when there are none."""
        self._remove_guests()
        everything = ["--volumes", "--remove-orphans", "--rmi", "local", "--timeout", str(STOP_SECONDS)]
        self._run("down", *everything, timeout_seconds=180)

    def _remove_guests(self) -> None:
        """Remove what joined the network without being of the project: it would keep the network."""
        of_project = f"label=com.docker.compose.project={self.project}"
        found, own = (
            subprocess.run(
                ["docker", "ps", "--all", "--quiet", "--filter", condition],
                capture_output=True,
                text=True,
                timeout=60,
                check=True,
            ).stdout.split()
            for condition in (f"network={self.network}", of_project)
        )
        for container in set(found) - set(own):
            subprocess.run(
                ["docker", "rm", "--force", container], capture_output=True, timeout=60, check=True
            )

    def _command(self, *arguments: str) -> list[str]:
        return ["docker", "compose", "--project-name", self.project, "--progress", "plain", *arguments]

    def _run(self, *arguments: str, timeout_seconds: float = 60, must_succeed: bool = True) -> None:
        # A session of its own: Ctrl-C is for the owner alone, who then calls `down`.
        process = subprocess.Popen(
            self._command(*arguments),
            cwd=self._root,
            env=_variables(),
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            status = process.wait(timeout_seconds)
        except subprocess.TimeoutExpired as error:
            raise CompositionError(f"compose {arguments[0]} took over {timeout_seconds:.0f} s") from error
        finally:
            process.kill()
            process.wait()
        if status and must_succeed:
            raise CompositionError(f"compose {arguments[0]} failed with status {status}")


def _variables() -> dict[str, str]:
    return os.environ | ANY_PORT
