"""What is printed once everything answers can be copied and works."""

from __future__ import annotations

import shlex

from local.announcement import announcement, is_ready
from local.ports import free_port

URL = "http://127.0.0.1:8000"
ROWS = [["gateway", "pid 7", URL, "a.log"], ["registry", "", "sqlite:///mlflow.db", ""]]
MATCH = {"match_id": 42, "home_team": "Arsenal", "away_team": "Chelsea", "match_date": "2026-04-25"}


def test_the_lines_to_try_are_a_shells_own() -> None:
    """Each is a whole command, quoted where a shell would take a sign for its own."""
    text = announcement(URL, ROWS, MATCH)
    lines = [shlex.split(line) for line in text.splitlines() if line.strip().startswith("curl")]
    assert lines == [
        ["curl", f"{URL}/predict/42"],
        ["curl", f"{URL}/predict/async/", "-d", '{"match_id": 42}'],
        ["curl", f"{URL}/predict/matches/?limit=5"],
    ]
    assert "Arsenal - Chelsea, 2026-04-25" in text
    assert "  gateway   pid 7  http://127.0.0.1:8000  a.log" in text


def test_without_an_upcoming_match_there_is_still_something_to_try() -> None:
    """A store with no upcoming match is not an error of the launcher."""
    assert announcement(URL, ROWS, None).count("curl") == 1


def test_a_port_where_nobody_answers_is_not_ready() -> None:
    """Neither an error nor a wait."""
    assert not is_ready(f"http://127.0.0.1:{free_port()}")
