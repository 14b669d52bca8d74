"""What has to be there before a worker is: a trained model in the registry, upcoming matches in the store.

The model is trained once, and again when the results it should be trained on are other ones.
"""

from __future__ import annotations

import hashlib
import re
import sys
from typing import TYPE_CHECKING

from local.child import Child
from local.progress import Progress
from local.run_options import RunError, RunOptions

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

TRAIN_SECONDS = 1800
PUBLISH_SECONDS = 600
AS_OF = re.compile(r"\bas[_ ]of[= ](\d{4}-\d{2}-\d{2})\b")


def train(options: RunOptions, state: Path, variables: Mapping[str, str]) -> None:
    """Have a model trained where there is none, or where the private registry's knows other results."""
    mark, digest = state / "trained-on", _digest(options)
    known = mark.read_text(encoding="utf-8") if mark.exists() else ""
    own_registry = not options.registry_uri
    how = ["--promote"] if own_registry and known not in {"", digest} else ["--if-missing"]
    arguments = ["train", *how, *_data(options)]
    _run("training the match model", "train", arguments, state, variables, seconds=TRAIN_SECONDS)
    if own_registry:
        mark.write_text(digest, encoding="utf-8")


def publish(options: RunOptions, state: Path, variables: Mapping[str, str]) -> str:
    """Put the upcoming matches into the store; the day that they are upcoming from."""
    fixtures = ["--fixtures", options.fixtures] if options.fixtures else []
    arguments = ["publish", *_data(options), *fixtures]
    said = _run(
        "publishing the upcoming matches", "publish", arguments, state, variables, seconds=PUBLISH_SECONDS
    )
    found = AS_OF.search(said)
    if found is None:
        raise RunError(f"publishing did not say the day it counts from:\n{said}")
    return found.group(1)


def _data(options: RunOptions) -> list[str]:
    results = ["--results", *options.results] if options.results else []
    return [*results, "--as-of", options.as_of] if options.as_of else results


def _digest(options: RunOptions) -> str:
    digest = hashlib.sha256(repr((options.results, options.as_of)).encode())
    for file in options.files():
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _run(
    what: str, name: str, arguments: list[str], state: Path, variables: Mapping[str, str], *, seconds: float
) -> str:
    """Run a command of the match model to its end; what it said. RunError with its last lines if it fails."""
    log = state / "logs" / f"{name}.log"
    log.unlink(missing_ok=True)
    command = [sys.executable, "-m", "models.football", *arguments]
    child = Child(name, command, log=log, variables=variables)
    progress = Progress(what)
    try:
        child.start()
        in_time = progress.wait_while(lambda: child.is_alive, timeout_seconds=seconds)
    finally:
        child.kill()
    if child.exit_status:
        progress.done("failed")
        raise RunError(child.log_end() if in_time else f"{what} took over {seconds:.0f} s; see {log}")
    progress.done()
    return log.read_text(encoding="utf-8")
