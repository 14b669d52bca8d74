"""`python3 -m local COMMAND`: one entry for everything done on a developer's machine, with or without make.

Needs a Python and nothing else: it makes the environment in `.venv` when that is missing or stale and runs
the command there. This file keeps to syntax that an old Python can read, so that an old Python gets a
sentence and not a SyntaxError; what it imports need not.
"""

import shutil
import sys

OLDEST, NEWEST = (3, 11), (3, 13)


def unfit_python() -> str:
    """Why this Python cannot run Tandem, in one line; empty when it can."""
    if OLDEST <= sys.version_info[:2] <= NEWEST:
        return ""
    names = [f"python3.{minor}" for minor in range(NEWEST[1], OLDEST[1] - 1, -1)]
    found = next((name for name in names if shutil.which(name)), None)
    advice = (
        f"use {found}: `{found} -m local ...` or `make PYTHON={found} ...`"
        if found
        else "install one of these"
    )
    here = ".".join(map(str, sys.version_info[:3]))
    return f"Tandem runs on Python 3.11, 3.12 and 3.13, and {sys.executable} is {here}; {advice}"


def main() -> int:
    """Run the command named on the command line; the exit status is the command's."""
    problem = unfit_python()
    if problem:
        print(f"tandem: {problem}", file=sys.stderr)
        return 2
    from local.commands import dispatch  # noqa: PLC0415  needs a Python that is known to be new enough

    return dispatch(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
