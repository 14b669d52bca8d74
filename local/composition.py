"""compose.yaml brought up as a project of its own, on free ports, and taken down without a trace."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from local.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

BUILD_SECONDS = 1500
WAIT_SECONDS = 300
STOP_SECONDS = 20
PORTS = ("PORT", "KEYED_PORT", "MLFLOW_PORT", "RABBITMQ_MANAGEMENT_PORT", "PROMETHEUS_PORT", "FLOWER_PORT")


class CompositionError(RuntimeError):
    """compose did not do what it was asked to; its own words have been printed."""


class Composition:
    """One project; its owner calls `down`, whatever became of `up`."""

    def __init__(self, root: Path, project: str, variables: Mapping[str, str] | None = None) -> None:
        self.project = project
        self.network = f"{project}_default"
        self._root = root
        # An address of S3 is written into answers, so that its port has to be known.
        self._variables = dict.fromkeys(PORTS, "0") | {"AWS_PORT": str(free_port())}
        self._variables |= {"COMPOSE_PROFILES": "ops,test", **(variables or {})}

    def build(self) -> None:
        """Build every image."""
        self._run("build", timeout_seconds=BUILD_SECONDS)

    def up(self, *services: str) -> None:
        """Start everything, or these, and wait until healthy; CompositionError when that takes too long."""
        wait = ["--wait", "--wait-timeout", str(WAIT_SECONDS)]
        self._run("up", "--detach", *wait, *services, timeout_seconds=WAIT_SECONDS + 120)

    def scale(self, service: str, number: int) -> None:
        """Have that many containers of a service, healthy."""
        wait = ["--wait", "--wait-timeout", str(WAIT_SECONDS), "--scale", f"{service}={number}"]
        left_alone = ["--detach", "--no-recreate", "--no-deps"]
        self._run("up", *left_alone, *wait, service, timeout_seconds=WAIT_SECONDS + 120)

    def containers(self, service: str) -> list[str]:
        """The ids of a service's containers that run."""
        return self._told("ps", "--quiet", service).split()

    def address(self, service: str, port: int) -> str:
        """Where a port of a service is published."""
        return self._told("port", service, str(port))

    def images(self) -> dict[str, int]:
        """The bytes of every service's image, layers that are shared among them counted for each."""
        names = self._told("config", "--images").split()
        listing = ["docker", "image", "inspect", "--format", "{{.Size}}", *names]
        sizes = subprocess.run(listing, capture_output=True, text=True, timeout=60, check=True)
        return dict(zip(names, map(int, sizes.stdout.split()), strict=True))

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

    def _told(self, *arguments: str) -> str:
        asked, environ = self._command(*arguments), self._environ()
        done = subprocess.run(
            asked, cwd=self._root, env=environ, capture_output=True, text=True, timeout=60, check=True
        )
        return done.stdout.strip()

    def _command(self, *arguments: str) -> list[str]:
        return ["docker", "compose", "--project-name", self.project, "--progress", "plain", *arguments]

    def _run(self, *arguments: str, timeout_seconds: float = 60, must_succeed: bool = True) -> None:
        # A session of its own: Ctrl-C is for the owner alone, who then calls `down`.
        process = subprocess.Popen(
            self._command(*arguments),
            cwd=self._root,
            env=self._environ(),
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

    def _environ(self) -> dict[str, str]:
        return os.environ | self._variables
