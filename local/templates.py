"""`python3 -m local check templates`: what can be said of the CloudFormation templates without an account.

cfn-lint reads them as they are written, SAM CLI as `sam build` would take them, and cfn-lint again with SAM's
short forms written out, where circles and wrong actions show. tests/unit/infra has the house's own rules.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from local.steps import StepFailed, run, step

ROOT = Path(__file__).resolve().parent.parent
INFRA = ROOT / "infra"
TEMPLATES = ("template.yaml", "workers.yaml", "operations.yaml", "platform.yaml")
SECONDS = 300
RESOLVED_BY_SAM = "W2001"
"""The transform puts some parameters' values in their place; what is left names them no more."""


def expanded() -> dict[str, Any]:
    """infra/template.yaml with SAM's short forms written out; raises StepFailed in the translator's words."""
    uv = [str(Path(sysconfig.get_path("scripts")) / "uv"), "run", "--quiet", "--no-project", "--script"]
    command = [*uv, str(INFRA / "expand.py")]
    # An environment of its own, made once (some 40 MB); the one that runs this must not lend it packages.
    variables = {key: value for key, value in os.environ.items() if key not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    variables |= {"UV_PYTHON": sys.executable, "UV_PYTHON_DOWNLOADS": "never"}
    variables["UV_SYSTEM_CERTS"] = os.environ.get("UV_SYSTEM_CERTS", "true")
    done = subprocess.run(
        command, env=variables, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    if done.returncode:
        raise StepFailed(f"infra/template.yaml cannot be expanded: {done.stderr.strip()}")
    whole: dict[str, Any] = json.loads(done.stdout)
    return whole


def lint(*arguments: str) -> None:
    """Have cfn-lint look, warnings included."""
    program = Path(sysconfig.get_path("scripts")) / "cfn-lint"
    run([str(program), *arguments], directory=ROOT, seconds=SECONDS)


def lint_expanded() -> None:
    """Have cfn-lint look at what CloudFormation gets to see."""
    with tempfile.TemporaryDirectory(prefix="tandem-templates-") as directory:
        path = Path(directory) / "expanded.json"
        path.write_text(json.dumps(expanded()))
        lint("--ignore-checks", RESOLVED_BY_SAM, "--", str(path))


def sam_lint() -> None:
    """Have SAM CLI look, where it is installed."""
    if shutil.which("sam") is None:
        print("NOT RUN: `sam validate --lint`, for there is no `sam` on the PATH (pipx install aws-sam-cli)")
        return
    command = ["sam", "validate", "--lint", "--template", str(INFRA / "template.yaml")]
    run(command, directory=ROOT, seconds=SECONDS, variables={"SAM_CLI_TELEMETRY": "0"})


def main() -> int:
    """Every check, whatever the others say; 0 when all of them pass."""
    checks = {
        "templates as written": lambda: lint(*(str(INFRA / name) for name in TEMPLATES)),
        "template as SAM takes it": sam_lint,
        "template as CloudFormation sees it": lint_expanded,
    }
    failed = False
    for name, check in checks.items():
        try:
            with step(name):
                check()
        except StepFailed as error:
            print(error, file=sys.stderr)
            failed = True
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
