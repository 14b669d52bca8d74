"""`sam validate` and `sam build` of infra/template.yaml, and the images that `sam local` leaves behind."""

from __future__ import annotations

import contextlib
import subprocess
from typing import TYPE_CHECKING

from local.sam_local import answered_here
from local.steps import StepFailed, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VALIDATE_SECONDS = 120
BUILD_SECONDS = 180
BUILD_ATTEMPTS = 3
NO_TELEMETRY = {"SAM_CLI_TELEMETRY": "0"}


def sam_validate(root: Path) -> None:
    """Have the template translated and linted; neither needs an account, the first wants some region."""
    for check in (["--region", "eu-central-1"], ["--lint"]):
        run(["sam", "validate", *check], directory=root, seconds=VALIDATE_SECONDS, variables=NO_TELEMETRY)


def sam_build(root: Path, directory: Path, s3: str) -> None:
    """Build layer and functions in the image of the runtime, so that no Python of this machine's counts.

    `s3` is where callers reach the composition's S3.
    """
    # Not with samconfig.toml, which has them built side by side: where a container ends within a moment, SAM
    # now and then waits for it for ever or finds that it has said nothing, and more often so side by side.
    alone = directory.with_name("samconfig.toml")
    alone.write_text("version = 0.1\n", encoding="utf-8")
    build = ["sam", "build", "--template-file", "infra/template.yaml", "--config-file", str(alone)]
    build += ["--use-container", "--no-cached", "--build-dir", str(directory)]
    for attempt in range(BUILD_ATTEMPTS):
        try:
            run([*build, "--skip-pull-image"], directory=root, seconds=BUILD_SECONDS, variables=NO_TELEMETRY)
            break
        except StepFailed as error:
            if attempt + 1 == BUILD_ATTEMPTS:
                raise
            print(f"{error}: once more", flush=True)
    answered_here(directory / "template.yaml", s3)


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
