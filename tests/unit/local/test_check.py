"""`make check` runs every check and fails when one does."""

from __future__ import annotations

import pytest

from local import check


@pytest.mark.parametrize(("failing", "status"), [("", 0), ("types", 1)])
def test_one_failure_is_a_failure_and_stops_no_other(
    failing: str, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All of them run, and the last line names what failed."""
    ran = []

    def passes(name: str) -> bool:
        ran.append(name)
        return name != failing

    monkeypatch.setattr(check, "passes", passes)
    assert check.main([]) == status
    assert ran == ["lint", "format", "types", "imports", "templates", "policies"]
    last_line = capsys.readouterr().out.splitlines()[-1]
    assert last_line == ("=== failed: types" if failing else "=== all checks passed")


def test_a_check_can_be_run_alone(capfd: pytest.CaptureFixture[str]) -> None:
    """By its name; another name is refused."""
    assert check.main(["imports"]) in {0, 1}
    assert "=== imports: lint-imports" in capfd.readouterr().out
    assert check.main(["spelling"]) == 2
