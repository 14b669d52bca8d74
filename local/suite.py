"""`make test`: the whole suite but tests/e2e, on RabbitMQs and Redises of its own.

The servers are started by the first test that asks for them (tests/conftest.py) and stopped with the session.
What is found out here, before any test, is that they can be had. The suite runs in two halves side by side,
because most of its time is waiting for workers and brokers to start; each half has servers of its own. With
arguments, or with `ARGS`, which holds further arguments for pytest, it is one run.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from local.child import StartError
from local.private_rabbitmq import PrivateRabbitmq
from local.private_redis import PrivateRedis

ROOT = Path(__file__).resolve().parent.parent
WORKER_TESTS = ROOT / "tests" / "integration" / "worker"
OPTIONS = [f"--rootdir={ROOT}", f"--ignore={ROOT / 'tests' / 'e2e'}"]
HALF_SECONDS = 1500
STOP_SECONDS = 60


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
    if given:
        return int(pytest.main([*OPTIONS, *given]))
    return side_by_side(
        [*OPTIONS, str(WORKER_TESTS)], [*OPTIONS, str(ROOT / "tests"), f"--ignore={WORKER_TESTS}"]
    )


def side_by_side(first: list[str], second: list[str]) -> int:
    """Run pytest twice at once; what the first prints is shown when the second, which is seen, has ended."""
    program = [sys.executable, "-m", "pytest"]
    with tempfile.TemporaryFile() as printed:
        hidden = subprocess.Popen(
            [*program, *first], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=printed, stderr=subprocess.STDOUT
        )
        try:
            status = subprocess.run([*program, *second], cwd=ROOT, check=False).returncode
            print(f"\nthe tests of {WORKER_TESTS.relative_to(ROOT)}, run meanwhile:", flush=True)
            hidden.wait(HALF_SECONDS)
        finally:
            if hidden.poll() is None:
                hidden.send_signal(signal.SIGINT)
                hidden.wait(STOP_SECONDS)
        printed.seek(0)
        shutil.copyfileobj(printed, sys.stdout.buffer)
        sys.stdout.flush()
    return status or hidden.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
