"""Ends a program whose owner died without stopping it: `python guardian.py PROCESS_ID SECONDS`.

Standard input is a pipe from the owner. A byte on it says that the program was stopped, and there is nothing
left to do; its end without a byte says that the owner was killed. The program is then asked to end, and after
the seconds it and its process group are killed.
"""

import contextlib
import os
import signal
import sys
import time

STEP_SECONDS = 0.1


def lives(group: int) -> bool:
    """Whether any process of the group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # macOS, of a group of zombies
        return False
    return True


def end(process_id: int, seconds: float) -> None:
    """SIGTERM to the program, and after the seconds SIGKILL to what is left of its group."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(process_id, signal.SIGTERM)
    deadline = time.monotonic() + seconds
    while lives(process_id) and time.monotonic() < deadline:
        time.sleep(STEP_SECONDS)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process_id, signal.SIGKILL)


if __name__ == "__main__" and not sys.stdin.buffer.read(1):
    end(int(sys.argv[1]), float(sys.argv[2]))
