"""Tables say what was measured, what was not, and whether it is enough."""

from __future__ import annotations

from typing import Any

import pytest

from bench import required
from bench.chapter import CHAPTER, replaced
from bench.measurements import MEASUREMENTS
from bench.tables import ratio, table
from bench.throughput_tables import show


def rounds(rate: float, p50: float) -> list[dict[str, float]]:
    """Three rounds, the second on a machine half as fast."""
    return [
        {
            "rate": rate / slow,
            "p50": p50 * slow,
            "p99": p50 * slow * 2,
            "cpu": 0.5,
            "servers_cpu": 0.1,
            "failures": 0,
        }
        for slow in (1, 2, 1)
    ]


THROUGHPUT: dict[str, Any] = {
    "systems": {
        name: {
            "title": title,
            "loads": {"64": rounds(rate, p50)},
            "memory_mb": [mb] * 3,
            "servers_mb": [0.0] * 3,
        }
        for name, title, rate, p50, mb in (
            ("tandem", "Tandem", 3000, 20, 400),
            ("naive", "naive", 250, 240, 600),
        )
    },
    "left_out": {"ray": "cannot be installed: status 1: no wheel"},
}


def test_a_ratio_needs_both_systems() -> None:
    """The slow round cancels out; a system that was not measured has no ratio."""
    found = ratio(THROUGHPUT, "tandem", "naive", 64, "rate")
    assert found == (12, 12, 12)
    assert ratio(THROUGHPUT, "tandem", "ray", 64, "rate") is None


def test_the_tables_name_everybody() -> None:
    """Each system has its line, and one that was left out has its reason."""
    text = "\n".join(show(THROUGHPUT))
    assert "| Tandem | 3,000 | — | 20.0 | 40.0 | 0.50 + 0.10 | 0 |" in text
    assert "| naive | 250 | 12.0 (12.0-12.0) |" in text
    assert "ray: cannot be installed: status 1: no wheel" in text


def test_a_system_without_answers_keeps_its_line() -> None:
    """It is said so, and compared with nobody."""
    silent = {"title": "silent", "loads": {"64": []}, "memory_mb": [1.0], "servers_mb": [0.0]}
    figures = {**THROUGHPUT, "systems": {**THROUGHPUT["systems"], "silent": silent}}
    assert "| silent | no right answer in the time |" in "\n".join(show(figures))
    assert ratio(figures, "tandem", "silent", 64, "rate") is None


def test_a_figure_is_met_or_not_or_not_measured() -> None:
    """Nothing that was not measured counts as met."""
    rows = {line.split("|")[1].strip(): line for line in required.show({"throughput": THROUGHPUT})}
    assert rows["naive queue design, 64 callers, req/s"].endswith("| met |")
    assert rows["naive queue design, memory"].endswith("| **not met** |")
    assert "not measured" in rows["mlflow serve, 64 callers, req/s"]


def test_only_what_is_between_the_markers_changes() -> None:
    """The text around stays as it was written."""
    text = "before\n<!-- bench: flood -->\nold\n<!-- bench end -->\nafter\n"
    assert replaced(text, "flood", ["new"]) == text.replace("old", "new")
    with pytest.raises(ValueError, match="0 places for memory"):
        replaced(text, "memory", ["new"])


@pytest.mark.parametrize("name", [*MEASUREMENTS, "required", "measured-on"])
def test_the_chapter_has_a_place_for_every_result(name: str) -> None:
    """A measurement without a place would be lost at the end of a long run."""
    text = CHAPTER.read_text(encoding="utf-8")
    assert replaced(text, name, ["lines"]).count("\nlines\n") == 1


def test_a_table_is_markdown() -> None:
    """Head, rule, rows."""
    assert table(["a", "b"], [["1", "2"]]) == ["| a | b |", "| --- | --- |", "| 1 | 2 |"]
