"""What each process of this worker has loaded, told to the main process, which serves none under prefork.

One small file per process in a directory that the main process owns: it needs no broker and no store, it
works however the processes were started, and a process that was killed is told from one that lives.
"""

import os
import shutil
import tempfile
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from tandem.schemas.model_card import ModelCard

DIRECTORY_VARIABLE = "TANDEM_LOAD_REPORTS"
"""The environment carries it to the pool processes; nobody else sets it."""


class LoadReport(BaseModel):
    """One process: the cards of the models in its memory, and what could not be loaded."""

    model_config = ConfigDict(frozen=True)

    pid: int
    cards: list[ModelCard] = []
    failures: dict[str, str] = {}


class LoadReports:
    """The directory of reports, as the main process and the others see it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @classmethod
    def create(cls) -> "LoadReports":
        """Make the directory, in the main process, before it starts others; `remove` ends it."""
        directory = tempfile.mkdtemp(prefix=f"tandem-worker-{os.getpid()}-")
        os.environ[DIRECTORY_VARIABLE] = directory
        return cls(Path(directory))

    @classmethod
    def of_this_worker(cls) -> "LoadReports":
        """The directory that the main process made."""
        return cls(Path(os.environ[DIRECTORY_VARIABLE]))

    @property
    def main_pid(self) -> int:
        """The process that made the directory, which is named after it."""
        return int(self._directory.name.split("-")[2])

    def write(self, cards: list[ModelCard], failures: dict[str, str]) -> None:
        """Report for this process, whole or not at all."""
        report = LoadReport(pid=os.getpid(), cards=cards, failures=failures)
        draft = self._directory / f".{report.pid}"
        draft.write_text(report.model_dump_json())
        draft.replace(self._directory / f"{report.pid}.json")

    def read(self) -> list[LoadReport]:
        """The reports of the processes that live."""
        reports = []
        for path in sorted(self._directory.glob("*.json")):
            report = LoadReport.model_validate_json(path.read_text())
            if _lives(report.pid):
                reports.append(report)
            else:
                path.unlink(missing_ok=True)
        return reports

    def remove(self) -> None:
        """Delete the directory."""
        shutil.rmtree(self._directory, ignore_errors=True)


def loaded(reports: list[LoadReport]) -> dict[str, ModelCard]:
    """Cards by `name@alias` of what every process that has loaded anything can answer for."""
    by_process = [
        {f"{card.model_name}@{card.alias}": card for card in report.cards}
        for report in reports
        if report.cards
    ]
    if not by_process:
        return {}
    everywhere = set.intersection(*(set(cards) for cards in by_process))
    return {name: by_process[-1][name] for name in sorted(everywhere)}


def _lives(pid: int) -> bool:
    if pid == os.getpid():
        return True
    try:
        os.kill(pid, 0)  # only asks; never reached on Windows, where the one pool is `solo`
    except ProcessLookupError:
        return False
    return True
