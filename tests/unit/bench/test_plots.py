"""Every plot is drawn from the results that are there, the same from the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench import plots

if TYPE_CHECKING:
    from pathlib import Path

FOUND: dict[str, Any] = {
    "throughput": {
        "systems": {
            name: {
                "title": name,
                "loads": {callers: [{"rate": 10.0, "p50": 5.0}] * 3 for callers in ("1", "64")},
            }
            for name in ("tandem", "naive")
        }
    },
    "batch_sizes": {
        "points": [
            {"callers": 1, "mean": 1.0, "largest": 1},
            {"callers": 64, "mean": 20.5, "largest": 64},
        ]
    },
    "scaling": {"workers": {"1": [390.0], "2": [760.0], "4": [1400.0]}},
    "queue_growth": {"points": [{"queued": 0, "rate": 900.0}, {"queued": 100_000, "rate": 850.0}]},
}


def test_plots_are_drawn_from_what_is_there(tmp_path: Path) -> None:
    """One file for each result, none for a result that is missing."""
    plots.write({"scaling": FOUND["scaling"]}, tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["scaling.svg"]
    plots.write(FOUND, tmp_path)
    assert {file.stem for file in tmp_path.iterdir()} == set(plots.PLOTS) == set(FOUND)
    assert "naive" in (tmp_path / "throughput.svg").read_text()


def test_the_same_results_make_the_same_file(tmp_path: Path) -> None:
    """A run that found nothing new changes no file."""
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        plots.write(FOUND, tmp_path / name)
    assert (tmp_path / "one/scaling.svg").read_bytes() == (tmp_path / "other/scaling.svg").read_bytes()
