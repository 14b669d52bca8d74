"""The model is trained where it is missing, and again when it should be trained on something else."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from local import preparation
from local.run_options import RunError, RunOptions

if TYPE_CHECKING:
    from pathlib import Path


class Commands:
    """Stands where the match model's command line does: notes what is asked and says what it is told to."""

    def __init__(self, says: str = "") -> None:
        self.asked: list[list[str]] = []
        self.says = says

    def __call__(self, _what: str, _name: str, arguments: list[str], *_: Any, **__: Any) -> str:
        """Note and say."""
        self.asked.append(arguments)
        return self.says


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> Commands:
    """The stand-in, in place."""
    made = Commands()
    monkeypatch.setattr(preparation, "_run", made)
    return made


def test_other_results_are_trained_on(commands: Commands, tmp_path: Path) -> None:
    """The same files ask for a model only where there is none; changed files ask for a new one."""
    results = tmp_path / "results.csv"
    results.write_text("1")
    options = RunOptions.of({"RESULTS": str(results)})
    for text in ("1", "1", "2", "2"):
        results.write_text(text)
        preparation.train(options, tmp_path, {})
    preparation.train(RunOptions.of({}), tmp_path, {})
    assert [arguments[1] for arguments in commands.asked] == [
        "--if-missing",
        "--if-missing",
        "--promote",
        "--if-missing",
        "--promote",
    ]
    assert commands.asked[0] == ["train", "--if-missing", "--results", str(results)]


def test_a_registry_that_is_given_is_not_overruled(commands: Commands, tmp_path: Path) -> None:
    """What it serves is somebody else's decision, whatever the results are."""
    for results in ("a.csv", "b.csv"):
        options = RunOptions.of({"RESULTS": results, "MLFLOW_TRACKING_URI": "http://registry"})
        preparation.train(options, tmp_path, {})
    assert [arguments[1] for arguments in commands.asked] == ["--if-missing", "--if-missing"]


def test_the_day_of_publishing_is_the_day_of_the_run(commands: Commands, tmp_path: Path) -> None:
    """It is read from what publishing prints, and its absence is an error."""
    commands.says = "published 3 upcoming matches\nas_of=2026-04-24\n"
    options = RunOptions.of({"RESULTS": "a.csv b.csv", "FIXTURES": "f.csv", "AS_OF": "2026-04-24"})
    assert preparation.publish(options, tmp_path, {}) == "2026-04-24"
    wanted = ["publish", "--results", "a.csv", "b.csv", "--as-of", "2026-04-24", "--fixtures", "f.csv"]
    assert commands.asked == [wanted]
    commands.says = "published"
    with pytest.raises(RunError, match="did not say the day"):
        preparation.publish(options, tmp_path, {})


def test_a_failed_command_is_reported_in_its_own_words(tmp_path: Path) -> None:
    """The last lines of the real command line are the error."""
    options = RunOptions.of({"RESULTS": str(tmp_path / "no-such-file.csv")})
    registry = {"MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path / 'mlflow.db'}"}
    with pytest.raises(RunError, match=r"no-such-file\.csv"):
        preparation.train(options, tmp_path, os.environ | registry)
    assert not (tmp_path / "trained-on").exists()
