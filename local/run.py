"""`make run`: the whole system on this machine, from nothing but Python, until Ctrl-C.

What is not given by a variable is private to the checkout and lies in `.tandem/`. Whatever is started here is
stopped here, the way in first, the store last; a process that dies ends the run, nothing is restarted.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from local.announcement import announcement, first_match, is_ready
from local.child import Child, StartError
from local.lock import Lock
from local.ports import is_free
from local.preparation import publish, train
from local.private_redis import PrivateRedis
from local.progress import Progress
from local.run_options import RunError, RunOptions, shown, variables
from local.serving import gateway, worker

if TYPE_CHECKING:
    from types import FrameType

ROOT = Path(__file__).resolve().parent.parent
STATE = ROOT / ".tandem"
LOGS = STATE / "logs"
READY_SECONDS = 180
WATCH_SECONDS = 0.5
SIGNALS = [signal.SIGINT, signal.SIGTERM, *([] if os.name == "nt" else [signal.SIGHUP])]


def run(options: RunOptions) -> None:
    """Bring everything up, say so, and watch over it; returns only by an exception."""
    if not is_free(options.port):
        raise RunError(f"port {options.port} is taken; choose another one: make run PORT=8001")
    with contextlib.ExitStack() as stack:
        try:
            watched, environ = _bring_up(options, stack)
            print(
                announcement(options.url, _rows(options, environ, watched), first_match(options.url)),
                flush=True,
            )
            while True:
                _check(watched)
                time.sleep(WATCH_SECONDS)
        finally:
            # What follows is bounded; a second Ctrl-C would only leave something behind.
            for number in SIGNALS:
                signal.signal(number, signal.SIG_IGN)
            print("\nstopping …", flush=True)


def _bring_up(options: RunOptions, stack: contextlib.ExitStack) -> tuple[list[Child], dict[str, str]]:
    """Start all that a prediction needs; `stack` stops it. The processes, and the environment they have."""
    watched: list[Child] = []
    redis_url = options.redis_url
    if not redis_url:
        redis = PrivateRedis(STATE / "redis", log=LOGS / "redis.log")
        stack.callback(redis.stop)
        redis.start()
        watched, redis_url = [redis.child], redis.url
    environ = variables(options, ROOT, redis_url, options.as_of)
    train(options, STATE, environ)
    environ["AS_OF"] = publish(options, STATE, environ)
    _empty(Path(environ["PROMETHEUS_MULTIPROC_DIR"]))
    for child in (worker(options, environ, LOGS), gateway(options, environ, LOGS)):
        stack.callback(child.stop)
        child.start()
        watched.append(child)
    _wait_until_ready(options, watched)
    return watched, environ


def _wait_until_ready(options: RunOptions, watched: list[Child]) -> None:
    progress = Progress("starting worker and gateway")

    def is_coming() -> bool:
        _check(watched)
        return not is_ready(options.url)

    if not progress.wait_while(is_coming, timeout_seconds=READY_SECONDS):
        raise RunError(f"{options.url}/health/ready did not become ready in {READY_SECONDS} s; see {LOGS}")
    progress.done()


def _check(watched: list[Child]) -> None:
    """RunError when a process has died."""
    for child in watched:
        if not child.is_alive:
            raise RunError(
                f"{child.name} has ended with status {child.exit_status}; {child.log}:\n{child.log_end()}"
            )


def _rows(options: RunOptions, environ: dict[str, str], watched: list[Child]) -> list[list[str]]:
    """Name, process, address and log of what runs, and the address of what is used."""
    addresses = {
        "gateway": options.url,
        "worker": f"{options.pool} on {socket.gethostname()}",
        "redis": environ["REDIS_URL"],
    }
    rows = [
        [
            child.name,
            f"pid {child.pid}",
            addresses.get(child.name, environ["REDIS_URL"]),
            _relative(child.log),
        ]
        for child in reversed(watched)
    ]
    used = {
        "broker": options.broker_url,
        "store": options.redis_url,
        "registry": environ["MLFLOW_TRACKING_URI"],
    }
    rows += [[name, "", shown(url), ""] for name, url in used.items() if url]
    return rows


def _relative(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def _empty(directory: Path) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main(arguments: list[str]) -> int:
    """Run until it is stopped (0) or something fails (1)."""
    if arguments:
        print(
            "run takes no arguments but variables: RESULTS, FIXTURES, AS_OF, PORT (see README.md)",
            file=sys.stderr,
        )
        return 2
    for number in SIGNALS:
        # Under nohup the hang-up is ignored, and stays so.
        if number == signal.SIGINT or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)
    with Lock(STATE / "run.lock") as lock:
        if not lock.take():
            print(
                "run: this checkout is running already; stop that one, or run from another copy",
                file=sys.stderr,
            )
            return 1
        try:
            run(RunOptions.of(os.environ))
        except KeyboardInterrupt:
            return 0
        except (RunError, StartError, OSError) as error:
            print(f"run: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
