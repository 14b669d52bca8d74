"""`python3 -m local` answers in a sentence whatever Python starts it and whatever it is asked."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from local import __main__ as entry

CHECKOUT = Path(__file__).parents[3]


@pytest.mark.parametrize("name", ["__init__.py", "__main__.py"])
def test_an_old_python_can_read_the_entry(name: str) -> None:
    """What runs before the version is checked has no newer syntax: a sentence, not a SyntaxError."""
    ast.parse((CHECKOUT / "local" / name).read_text(), feature_version=(3, 6))


@pytest.mark.parametrize(("oldest", "newest"), [((3, 90), (3, 92)), ((3, 4), (3, 6))])
def test_a_python_of_another_age_is_told_which_ones_serve(
    oldest: tuple[int, int], newest: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Too old and too new are both told, in one line that names the versions that work."""
    assert entry.unfit_python() == ""
    monkeypatch.setattr(entry, "OLDEST", oldest)
    monkeypatch.setattr(entry, "NEWEST", newest)
    assert "runs on Python 3.11, 3.12 and 3.13" in entry.unfit_python()
    assert "\n" not in entry.unfit_python()


@pytest.mark.parametrize(("arguments", "status"), [([], 2), (["destroy"], 2), (["--help"], 0)])
def test_an_unknown_command_lists_the_known_ones(arguments: list[str], status: int) -> None:
    """Nothing is made before the command is known."""
    start = [sys.executable, "-m", "local", *arguments]
    done = subprocess.run(start, cwd=CHECKOUT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == status
    assert "usage: python3 -m local COMMAND" in done.stdout + done.stderr
