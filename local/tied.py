"""Run a program that gets SIGTERM when its parent dies: `python tied.py PARENT_PID PROGRAM [ARGUMENT…]`.

A step between fork and exec rather than `preexec_fn`, which must not run in a process that has threads. Only
Linux knows such a tie; elsewhere the program is simply run.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1

if __name__ == "__main__":
    parent, program = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(1)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores these; an ignored signal outlives exec
        signal.signal(number, signal.SIG_DFL)
    os.execvp(program[0], program)  # noqa: S606  no shell is wanted
