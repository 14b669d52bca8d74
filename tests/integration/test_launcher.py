"""`python3 -m local run` from a clean copy: up to a prediction, down again, and nothing is left behind."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from local.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CHECKOUT = Path(__file__).parents[2]
START_SECONDS = 300
pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(sys.platform != "linux", reason="processes are found by /proc"),
]


@dataclass
class Launched:
    """A launcher in the directory `root`, where everything that it starts has its working directory."""

    root: Path
    output: Path
    process: subprocess.Popen[bytes]

    @property
    def said(self) -> str:
        """All it has printed."""
        return self.output.read_text()

    def process_ids(self) -> set[int]:
        """The launcher and everything that descends from it."""
        found = set()
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                # Not by its environment: a program that sets its title writes over that.
                if (entry / "cwd").readlink().is_relative_to(self.root):
                    found.add(int(entry.name))
            except OSError:
                continue  # it ended meanwhile, or is another user's
        return found

    def process_id(self, name: str) -> int:
        """The process that the table names."""
        found = re.search(rf"^\s*{name}\s+pid (\d+)", self.said, re.MULTILINE)
        assert found is not None
        return int(found.group(1))

    def wait_until_ready(self) -> None:
        """Wait for the last line of the announcement."""
        self.wait_for(lambda: "Ctrl-C stops" in self.said or self.process.poll() is not None, START_SECONDS)
        assert self.process.poll() is None, self.said

    def wait_for(self, happened: Callable[[], bool], seconds: float = 60) -> None:
        """Wait until it happened, within a bound."""
        deadline = time.monotonic() + seconds
        while not happened():
            assert time.monotonic() < deadline, self.said
            time.sleep(0.1)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a clone of the checkout would hold, with the changes of its work tree."""
    root = tmp_path_factory.mktemp("launcher") / "a clone"
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=CHECKOUT, capture_output=True, check=True
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (CHECKOUT / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(CHECKOUT / name, root / name)
    return root


@pytest.fixture
def launch(copy: Path, tmp_path: Path) -> Iterator[Callable[[], Launched]]:
    """Starts launchers as someone without a home would, with a Python that has nothing installed."""
    started: list[Launched] = []

    def start() -> Launched:
        home = tmp_path / "home"
        home.mkdir(exist_ok=True)
        unwanted = (
            "BROKER_URL",
            "REDIS_URL",
            "MLFLOW_TRACKING_URI",
            "AS_OF",
            "RESULTS",
            "FIXTURES",
            "VIRTUAL_ENV",
        )
        environ = {name: value for name, value in os.environ.items() if name not in unwanted}
        # Making the environment is tested on its own; here the one of this test run is used.
        environ |= {"HOME": str(home), "PORT": str(free_port()), "TANDEM_VENV": sys.prefix}
        python = getattr(sys, "_base_executable", sys.executable)
        output = tmp_path / f"{len(started)}.txt"
        with output.open("wb") as said:
            process = subprocess.Popen(
                [python, "-m", "local", "run"],
                cwd=copy,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        started.append(Launched(copy, output, process))
        return started[-1]

    yield start
    for launched in started:
        launched.process.kill()
        launched.process.wait(30)
    for pid in started[0].process_ids():
        os.kill(pid, signal.SIGKILL)


def test_from_a_clean_copy_to_a_prediction_and_back(launch: Callable[[], Launched]) -> None:
    """The printed curl line answers for a real match, a second start is refused, Ctrl-C leaves nothing."""
    first = launch()
    first.wait_until_ready()
    line = re.search(r"curl (http://\S+/predict/\d+)", first.said)
    assert line is not None
    with urllib.request.urlopen(line.group(1), timeout=40) as answer:  # noqa: S310  our own
        probabilities = json.load(answer)["prediction"]["probabilities"]
    assert sum(probabilities.values()) == pytest.approx(1)
    second = launch()
    assert second.process.wait(60) == 1
    assert (
        second.said.strip()
        == "run: this checkout is running already; stop that one, or run from another copy"
    )
    first.process.send_signal(signal.SIGINT)
    assert first.process.wait(60) == 0
    first.wait_for(lambda: not first.process_ids())


def test_a_process_that_dies_ends_the_run(launch: Callable[[], Launched]) -> None:
    """The launcher says which one, stops the others and ends with 1; nothing is restarted silently."""
    launched = launch()
    launched.wait_until_ready()
    os.kill(launched.process_id("worker"), signal.SIGKILL)
    assert launched.process.wait(60) == 1
    assert "worker has ended with status -9" in launched.said
    launched.wait_for(lambda: not launched.process_ids())


def test_a_killed_launcher_leaves_no_process_behind(launch: Callable[[], Launched]) -> None:
    """After kill -9 nobody is there to stop the others, and they end all the same."""
    launched = launch()
    launched.wait_until_ready()
    assert len(launched.process_ids()) >= 6  # launcher, redis, gateway, worker and its two processes
    launched.process.kill()
    launched.process.wait(30)
    launched.wait_for(lambda: not launched.process_ids())
