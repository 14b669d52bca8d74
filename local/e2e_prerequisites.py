"""What the end-to-end run needs of the machine: a container engine, SAM and a browser.

A directory of scripts that bring them is used where there is one (`TANDEM_LAB`, else `../shared/lab`), and
apt for the browser where we are root; without them each must be there already. What is missing is named,
together with the way to do without it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from local import debian_packages

ENGINE_SECONDS = 30
SCRIPT_SECONDS = 900
IMAGES = (
    "python:3.13-slim",
    "debian:trixie-slim",
    "redis:8",
    "rabbitmq:4-management",
    "prom/prometheus:latest",
)
BROWSER_PACKAGES = ("chromium", "chromium-driver")
SAM_IMAGES = ("public.ecr.aws/lambda/python:3.13", "public.ecr.aws/sam/build-python3.13")


class PrerequisiteMissing(RuntimeError):
    """Something is not on this machine and cannot be brought; the text says what to do."""


class Prerequisites(NamedTuple):
    """Finds and brings what is needed; `lab` is a directory of scripts that bring things, or None."""

    lab: Path | None

    @classmethod
    def of(cls, root: Path) -> Prerequisites:
        """Those for the checkout `root`."""
        lab = Path(os.environ.get("TANDEM_LAB") or root.parent / "shared" / "lab")
        return cls(lab if (lab / "engine.sh").is_file() else None)

    def engine(self) -> bool:
        """See that a container engine with compose answers; True when it had to be started."""
        if _answers("docker", "info") and _answers("docker", "compose", "version"):
            return False
        if self.lab is None:
            raise PrerequisiteMissing(
                "no container engine: `docker info` and `docker compose version` must both succeed"
            )
        self._bring("engine.sh")
        return True

    def sam(self) -> None:
        """See that `sam` can be run."""
        if shutil.which("sam") is not None:
            return
        if self.lab is None:
            raise PrerequisiteMissing(
                "no `sam` on the PATH: install AWS SAM CLI in an environment of its own "
                "(pipx install aws-sam-cli), or leave it out with --without sam"
            )
        self._bring("sam.sh")

    def browser(self) -> None:
        """See that a headless Chromium can be driven; Debian's is installed where this process may."""
        if _has_browser():
            return
        if debian_packages.can_install():
            print(f"no browser on this machine: installing {' and '.join(BROWSER_PACKAGES)}", flush=True)
            debian_packages.install(*BROWSER_PACKAGES)
        if not _has_browser():
            raise PrerequisiteMissing(
                "no `chromium` and `chromedriver` on the PATH: install them "
                "(apt-get install chromium chromium-driver), or leave them out with --without browser"
            )

    def images(self, *, with_sam: bool) -> None:
        """Have the base images made where they can be; elsewhere the engine fetches what it lacks."""
        wanted = IMAGES + (SAM_IMAGES if with_sam else ())
        if self.lab is not None and not all(_answers("docker", "image", "inspect", name) for name in wanted):
            self._bring("base-images.sh")

    def stop_engine(self) -> None:
        """Stop the engine that `engine` started, unless somebody else's containers run in it by now."""
        running = subprocess.run(
            ["docker", "ps", "--quiet"], capture_output=True, timeout=ENGINE_SECONDS, check=False
        )
        if self.lab is not None and running.returncode == 0 and not running.stdout.strip():
            self._bring("engine.sh", "stop")

    def _bring(self, script: str, *arguments: str) -> None:
        if self.lab is None:
            raise ValueError("there is no directory of scripts")
        command = ["bash", str(self.lab / script), *arguments]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, timeout=SCRIPT_SECONDS, check=False)
        if done.returncode:
            raise PrerequisiteMissing(f"{self.lab / script} failed with status {done.returncode}")


def _has_browser() -> bool:
    return all(shutil.which(program) is not None for program in ("chromium", "chromedriver"))


def _answers(*command: str) -> bool:
    """Whether a command can be run and succeeds."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=ENGINE_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
