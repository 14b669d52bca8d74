"""What a process and its children use is counted, of those that live."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from bench.process_tree import cpu_seconds, memory_mb, tree

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="read from /proc")
BUSY = """
import sys
block = bytearray(60_000_000)
sum(range(4_000_000))
print("done", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    """A process that has worked, holds 60 MB and waits."""
    with subprocess.Popen([sys.executable, "-c", BUSY], stdin=-1, stdout=-1) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"done\n"
        yield process
        process.kill()


def test_a_tree_holds_children(child: subprocess.Popen[bytes]) -> None:
    """A child belongs to its parent's tree, the parent not to the child's."""
    assert {os.getpid(), child.pid} <= tree([os.getpid()])
    assert tree([child.pid]) == {child.pid}


def test_what_a_process_uses_is_counted(child: subprocess.Popen[bytes]) -> None:
    """The memory it holds and the time it has worked."""
    assert 60 <= memory_mb([child.pid]) < 200
    assert cpu_seconds([child.pid]) > 0


def test_a_process_that_has_gone_counts_nothing(child: subprocess.Popen[bytes]) -> None:
    """A measurement goes on when a child of a server ends meanwhile."""
    child.kill()
    child.wait(10)
    assert (cpu_seconds([child.pid]), memory_mb([child.pid])) == (0, 0)
