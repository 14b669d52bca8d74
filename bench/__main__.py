"""`python3 -m local bench`: prepare, measure one thing after another, write the chapter's tables."""

from __future__ import annotations

import os
import resource
import signal
import sys
import time
from subprocess import SubprocessError
from typing import TYPE_CHECKING

from bench import chapter, place
from bench.bench import Bench, keep, results
from bench.measurements import MEASUREMENTS
from bench.options import Options, WrongOption
from bench.preparation import NotPrepared, make_model
from bench.servers import Servers
from bench.window import LoadFailed
from local.child import StartError
from local.lock import Lock

if TYPE_CHECKING:
    from types import FrameType

USUAL = "throughput"


def main(arguments: list[str]) -> int:
    """Measure what is asked for; 0 when all was measured, 1 when something was not, 2 for a wrong option."""
    try:
        options, names = _wanted(arguments)
    except WrongOption as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    place.PLACE.mkdir(parents=True, exist_ok=True)
    with Lock(place.PLACE / "bench.lock") as lock:
        if not lock.take():
            print("bench: this checkout is measuring already", file=sys.stderr)
            return 1
        try:
            return _measure(options, names)
        except KeyboardInterrupt:
            return 130
        except (NotPrepared, StartError) as error:
            print(f"bench: {error}", file=sys.stderr)
            return 1


def _wanted(arguments: list[str]) -> tuple[Options, list[str]]:
    """The options and the names of the measurements; raises WrongOption."""
    if not sys.platform.startswith("linux"):
        raise WrongOption("processor time and memory are read from /proc, so it measures on Linux")
    options = Options.of(os.environ)
    names = [*options.only] or ([USUAL] if options.quick else [*MEASUREMENTS])
    if arguments or not set(names) <= set(MEASUREMENTS):
        raise WrongOption(f"no arguments, and ONLY knows {' '.join(MEASUREMENTS)}")
    return options, names


def _measure(options: Options, names: list[str]) -> int:
    _allow_many_connections()
    make_model()
    failed = []
    with Servers() as servers:
        bench = Bench(options, servers)
        for name in names:
            print(f"\n=== {name}", flush=True)
            started = time.monotonic()
            try:
                keep(results(options), name, MEASUREMENTS[name].measure(bench))
            except (StartError, LoadFailed, NotPrepared, OSError, ValueError, SubprocessError) as error:
                print(f"bench: {name} failed: {error}", file=sys.stderr)
                failed.append(name)
            print(f"=== {name}: {time.monotonic() - started:.0f} s", flush=True)
    chapter.write(options)
    if failed:
        print(f"bench: not measured: {' '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _allow_many_connections() -> None:
    """As many open files as this user may have, for this process and for those it starts."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
