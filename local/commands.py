"""The commands of `python3 -m local`, the dependency groups each needs, and the step into the environment."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from local.environment import Environment, SetupError

ROOT = Path(__file__).resolve().parent.parent
SERVE = frozenset({"worker", "local"})
ALL = SERVE | {"dev"}


class Command(NamedTuple):
    """What a command runs (a module, as `python -m` would), what that needs, and a line of help."""

    module: str
    groups: frozenset[str]
    summary: str


COMMANDS = {
    "run": Command("local.run", SERVE, "broker, registry, model, worker and the functions behind one port"),
    "test": Command("local.suite", ALL, "every test but the end-to-end ones, with servers of its own"),
    "check": Command("local.check", ALL, "lint, format, types and the import rules"),
    "e2e": Command("local.e2e", ALL, "compose, sam local and the browser"),
    "faults": Command("tests.faults", ALL, "every fault that one machine allows, and what it costs"),
    "soak": Command("tests.faults.soak", ALL, "random faults under load for some minutes"),
    "bench": Command("bench", ALL, "Tandem measured beside its peers; QUICK=1 takes minutes"),
    "keys": Command("local.keys", frozenset(), "`keys new NAME`: an API key for a caller"),
    "setup": Command("", ALL, "only make the environment, for all of the above"),
}


VARIABLES = {
    "run": "RESULTS FIXTURES AS_OF PORT BROKER_URL REDIS_URL MLFLOW_TRACKING_URI WORKER_POOL WEB_CONCURRENCY",
    "test": "ARGS (further arguments for pytest)",
    "bench": "QUICK ONLY PEERS ROUNDS SECONDS MINUTES",
    "faults": "TASKS BROKER (rabbitmq, rabbitmq4, redis or a URL) ROWS SEED RATE WORKER_POOL",
    "soak": "MINUTES BROKER SEED WORKER_POOL",
    "all": "TANDEM_VENV (use the environment in this directory as it is)",
}


def usage() -> str:
    """The commands, and the variables they read."""
    commands = [f"  {name:6} {command.summary}" for name, command in COMMANDS.items()]
    variables = [f"  {name:6} {names}" for name, names in VARIABLES.items()]
    return "\n".join(["usage: python3 -m local COMMAND [ARGUMENTS]", *commands, "variables:", *variables])


def dispatch(argv: list[str]) -> int:
    """Run the command `argv[0]` with the rest as its arguments, inside the environment made for it."""
    if not argv or argv[0] not in COMMANDS:
        print(usage(), file=sys.stdout if argv[:1] in (["-h"], ["--help"]) else sys.stderr)
        return 0 if argv[:1] in (["-h"], ["--help"]) else 2
    command = COMMANDS[argv[0]]
    environment = Environment.of(ROOT)
    try:
        environment.ensure(command.groups)
    except (SetupError, OSError) as error:
        print(f"tandem: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ntandem: interrupted; the next start takes it up again", file=sys.stderr)
        return 130
    if not command.module:
        return 0
    variables = environment.variables()
    if not environment.is_current() or variables != dict(os.environ):
        return _step_into([str(environment.python), "-m", "local", *argv], variables)
    sys.argv = [command.module, *argv[1:]]
    runpy.run_module(command.module, run_name="__main__", alter_sys=True)
    return 0


def _step_into(arguments: list[str], variables: dict[str, str]) -> int:
    """Go on as the environment's Python; returns only on Windows, which cannot replace a process."""
    os.chdir(ROOT)
    sys.stdout.flush()
    sys.stderr.flush()
    if os.name != "nt":
        os.execve(arguments[0], arguments, variables)  # noqa: S606  no shell is wanted
    return subprocess.call(arguments, env=variables)
