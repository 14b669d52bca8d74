"""A child ends with its owner, within a bound, with all that it started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from local import child as child_module
from local.child import Child, StartError

if TYPE_CHECKING:
    from collections.abc import Callable

CHECKOUT = Path(__file__).parents[3]
STUBBORN = (
    "import signal, subprocess, sys, time\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']).pid, flush=True)\n"
    "time.sleep(60)\n"
)
ORDERLY = (
    "import signal, sys, time\n"
    "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n"
    "print('up', flush=True)\n"
    "time.sleep(60)\n"
)


def is_running(pid: int) -> bool:
    """Whether the process exists and is not merely waiting to be reaped."""
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False


def wait_for(happened: Callable[[], bool]) -> None:
    """Wait until it happened, within a bound."""
    deadline = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_stop_ends_what_ignores_it_and_what_that_started(tmp_path: Path) -> None:
    """SIGTERM is asked first; after the bound the whole group is killed."""
    child = Child("stubborn", [sys.executable, "-c", STUBBORN], log=tmp_path / "log", stop_seconds=0.5)
    child.start()
    child.wait_until(lambda: bool(child.log_end().strip()), timeout_seconds=30)
    grandchild = int(child.log_end())
    child.stop()
    assert child.exit_status == -signal.SIGKILL
    wait_for(lambda: not is_running(grandchild))


def test_stop_lets_a_child_end_in_order(tmp_path: Path) -> None:
    """A child that answers SIGTERM ends with its own status; stopping twice or too early is harmless."""
    child = Child("orderly", [sys.executable, "-c", ORDERLY], log=tmp_path / "log")
    child.stop()
    child.start()
    child.wait_until(lambda: "up" in child.log_end(), timeout_seconds=30)
    child.stop()
    child.stop()
    assert child.exit_status == 7
    child.start()
    assert child.is_alive
    child.kill()
    assert not child.is_alive


def test_a_child_dies_with_its_owner(tmp_path: Path) -> None:
    """An owner killed with -9 can stop nothing; its children end all the same, however stubborn."""
    log = tmp_path / "log"
    program = (
        "import sys, time; from pathlib import Path; from local.child import Child\n"
        f"stubborn = [sys.executable, '-c', {STUBBORN!r}]\n"
        "child = Child('left', stubborn, log=Path(sys.argv[1]), stop_seconds=0.5)\n"
        "child.start(); print(child.pid, flush=True); time.sleep(60)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(CHECKOUT)}
    with subprocess.Popen(
        [sys.executable, "-c", program, str(log)], stdout=subprocess.PIPE, env=environment
    ) as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        wait_for(lambda: log.read_text().endswith("\n"))
        owner.kill()
    wait_for(lambda: not is_running(pid) and not is_running(int(log.read_text())))


def test_a_start_that_fails_says_why(tmp_path: Path) -> None:
    """The name, the status and the end of the log are in the error."""
    with pytest.raises(StartError, match="there is no no-such-program"):
        Child("missing", ["no-such-program"], log=tmp_path / "log").start()
    child = Child("broken", [sys.executable, "-c", "raise SystemExit('no such luck')"], log=tmp_path / "log")
    child.start()
    with pytest.raises(StartError, match=r"(?s)broken ended with status 1.*no such luck"):
        child.wait_until(lambda: False, timeout_seconds=30)
    child.stop()
    slow = Child("slow", ["sleep", "60"], log=tmp_path / "log")
    slow.start()
    with pytest.raises(StartError, match="slow was not ready in 0 s"):
        slow.wait_until(lambda: False, timeout_seconds=0.1)
    slow.kill()


def test_a_log_is_put_aside_when_it_has_grown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At a start, a log over the bound becomes the previous log; at most two are kept."""
    monkeypatch.setattr(child_module, "LOG_BYTES", 10)
    child = Child("printer", [sys.executable, "-c", "print('0123456789')"], log=tmp_path / "printer.log")
    for _ in range(3):
        child.start()
        wait_for(lambda: not child.is_alive)
        child.stop()
    assert (tmp_path / "printer.log").read_text() == "0123456789\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["printer.log", "printer.log.1"]
