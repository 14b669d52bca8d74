"""What the processes of a worker report is what the main process believes, as long as they live."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from tandem.schemas.model_card import ModelCard
from worker.load_reports import LoadReport, LoadReports, loaded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

import pytest


def card(name: str, version: str = "1") -> ModelCard:
    """A card of `name` at champion."""
    return ModelCard(
        model_name=name,
        alias="champion",
        model_version=version,
        model_run_id="",
        loaded_at="",
        loaded_by="",
        metrics={},
        inputs=[],
        outputs=[],
    )


@pytest.fixture
def reports(monkeypatch: pytest.MonkeyPatch) -> Iterator[LoadReports]:
    """The directory of a main process, which this process is."""
    monkeypatch.setenv("TANDEM_LOAD_REPORTS", "")
    made = LoadReports.create()
    yield made
    made.remove()


def test_a_report_is_read_back(reports: LoadReports) -> None:
    """By the main process, and by any process that inherits its environment."""
    reports.write([card("spam")], {"churn@champion": "broken"})
    [report] = LoadReports.of_this_worker().read()
    assert report.cards == [card("spam")]
    assert report.failures == {"churn@champion": "broken"}


def test_a_dead_process_no_longer_counts(reports: LoadReports, tmp_path: Path) -> None:
    """Its report is dropped, so nothing is claimed that no memory holds."""
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    process.wait(30)
    report = LoadReport(pid=process.pid, cards=[card("spam")])
    (reports._directory / f"{process.pid}.json").write_text(report.model_dump_json())
    assert reports.read() == []
    assert list(reports._directory.iterdir()) == []


def test_only_what_every_process_has_is_claimed() -> None:
    """A task may reach any of them; a process that has loaded nothing takes no tasks and does not count."""
    both = [
        LoadReport(pid=1, cards=[card("spam"), card("churn")]),
        LoadReport(pid=2, cards=[card("spam", "2")]),
    ]
    assert loaded(both) == {"spam@champion": card("spam", "2")}
    assert loaded([*both, LoadReport(pid=3)]) == {"spam@champion": card("spam", "2")}
    assert loaded([]) == {}


def test_the_main_process_is_known_by_its_directory(reports: LoadReports) -> None:
    """A pool process tells from it that it is not the main one."""
    import os

    assert reports.main_pid == os.getpid()
