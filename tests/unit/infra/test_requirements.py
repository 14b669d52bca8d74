"""What the layer installs is what the lock says."""

import subprocess
import sysconfig
from pathlib import Path

from tests.unit.infra.cloudformation import ROOT

EXPORT = ["export", "--frozen", "--no-default-groups", "--no-hashes", "--no-emit-project", "--no-header"]
"""After a change of the lock: `uv export … --no-annotate --output-file common/requirements.txt`."""


def test_the_layers_requirements_are_those_of_the_lock() -> None:
    """common/requirements.txt, which `sam build` installs, is the export of uv.lock without any group."""
    uv = Path(sysconfig.get_path("scripts")) / "uv"
    done = subprocess.run(
        [uv, *EXPORT, "--no-annotate", "--offline"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert (ROOT / "common" / "requirements.txt").read_text() == done.stdout
