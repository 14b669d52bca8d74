"""`make check`: what a change has to pass besides its tests; each check runs, whatever the others say."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CHECKS = {
    "lint": ["ruff", "check"],
    "format": ["ruff", "format", "--check"],
    "types": ["mypy"],
    "imports": ["lint-imports"],
    "templates": ["python", "-m", "local.templates"],
    # Tests, but of the templates: whoever changes one hears here of a route or a right that is gone.
    "policies": ["python", "-m", "pytest", "-q", "tests/unit/infra"],
}


def main(arguments: list[str]) -> int:
    """Run the checks that are named, or all; 0 when all of them pass."""
    unknown = sorted(set(arguments) - set(CHECKS))
    if unknown:
        print(f"check: there is no {unknown[0]}; there are {', '.join(CHECKS)}", file=sys.stderr)
        return 2
    failed = [name for name in CHECKS if name in (arguments or CHECKS) and not passes(name)]
    print(f"\n=== failed: {', '.join(failed)}" if failed else "\n=== all checks passed", flush=True)
    return 1 if failed else 0


def passes(name: str) -> bool:
    """Run one check under its heading; whether it passed."""
    program, *arguments = CHECKS[name]
    print(f"\n=== {name}: {' '.join(CHECKS[name])}", flush=True)
    command = [str(Path(sysconfig.get_path("scripts")) / program), *arguments]
    return subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
