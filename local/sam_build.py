"""`sam validate` and `sam build` of infra/template.yaml, and the images that `sam local` leaves behind."""

from __future__ import annotations

import contextlib
import subprocess
from typing import TYPE_CHECKING

from local.steps import run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VALIDATE_SECONDS = 120
BUILD_SECONDS = 900
NO_TELEMETRY = {"SAM_CLI_TELEMETRY": "0"}


def sam_validate(root: Path) -> None:
    """Have the template translated and linted; neither needs an account, the first wants some region."""
    for check in (["--region", "eu-central-1"], ["--lint"]):
        run(["sam", "validate", *check], directory=root, seconds=VALIDATE_SECONDS, variables=NO_TELEMETRY)


def sam_build(root: Path, directory: Path) -> None:
    """Build layer and functions in the image of the runtime, so that no Python of this machine's counts."""
    build = ["sam", "build", "--use-container", "--no-cached", "--build-dir", str(directory)]
    run([*build, "--skip-pull-image"], directory=root, seconds=BUILD_SECONDS, variables=NO_TELEMETRY)


@contextlib.contextmanager
def sam_images_removed() -> Iterator[None]:
    """Remove the images that `sam local` makes, one for every layer it meets, and never removes itself."""
    before = _images()
    try:
        yield
    finally:
        for image in _images() - before:
            subprocess.run(["docker", "rmi", image], capture_output=True, timeout=60, check=False)


def _images() -> set[str]:
    listing = ["docker", "images", "--quiet", "--filter", "reference=samcli/lambda-*"]
    return set(subprocess.run(listing, capture_output=True, text=True, timeout=60, check=True).stdout.split())
