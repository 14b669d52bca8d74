"""`make test`: the whole suite but tests/e2e, on a RabbitMQ and a Redis of its own.

The servers are started by the first test that asks for them (tests/conftest.py) and stopped with the session.
What is found out here, before any test, is that they can be had. `ARGS` holds further arguments for pytest.
"""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
from pathlib import Path

import pytest

from local.child import StartError
from local.private_rabbitmq import PrivateRabbitmq
from local.private_redis import PrivateRedis

ROOT = Path(__file__).resolve().parent.parent


def main(arguments: list[str]) -> int:
    """Run the tests; the exit status is pytest's, or 1 when a server is missing."""
    with tempfile.TemporaryDirectory() as directory:
        try:
            PrivateRedis(Path(directory))
            PrivateRabbitmq(Path(directory))
        except StartError as error:
            print(f"test: {error}", file=sys.stderr)
            return 1
    given = [*arguments, *shlex.split(os.environ.get("ARGS", ""))]
    return int(pytest.main([f"--rootdir={ROOT}", f"--ignore={ROOT / 'tests' / 'e2e'}", *given]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
