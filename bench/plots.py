"""Results as plots: SVG files beside the results, drawn anew by every run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import NullLocator

from bench.statistics import median

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from matplotlib.axes import Axes

    from bench.bench import Figures

OURS, GREY = "#c0392b", "#888888"
REDS = {6, 7}
"""Of tab20: too like ours."""
SIZE = (7.5, 4.6)
NUMBERS = "{x:,.0f}"
HEADROOM = 1.1
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "tandem",  # the same results make the same file
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e5e5e5",
}


ALTERNATIVES = {
    "throughput": "Median latency against requests a second for each system under 1, 16, 64 and 256 callers.",
    "batch_sizes": "Rows a call of the model, mean and largest, under 1 to 256 callers.",
    "scaling": "Requests a second with one, two and four workers.",
    "queue_growth": "Requests a second of waiting callers with 0, 10,000 and 100,000 tasks in the queue.",
}
"""What each plot shows, in words."""


def write(found: dict[str, Figures], directory: Path) -> dict[str, str]:
    """Draw what there are results for, and give what each plot shows, in words."""
    for name, draw in PLOTS.items():
        if name in found:
            with mpl.rc_context(STYLE):
                canvas = Canvas(figsize=SIZE, layout="constrained")
                FigureCanvasSVG(canvas)
                draw(canvas.add_subplot(), found[name])
                canvas.savefig(directory / f"{name}.svg", metadata={"Date": None})
    return {name: ALTERNATIVES[name] for name in PLOTS if name in found}


def latency_against_throughput(axes: Axes, figures: Figures) -> None:
    """A line for each system, a point for each number of callers: right and low is good."""
    colours = iter([colour for at, colour in enumerate(mpl.color_sequences["tab20"]) if at not in REDS])
    for name, system in figures["systems"].items():
        measured = [(callers, rounds) for callers, rounds in system["loads"].items() if rounds]
        loads = sorted(measured, key=lambda item: int(item[0]))
        across = [median([one["rate"] for one in rounds]) for _, rounds in loads]
        up = [median([one["p50"] for one in rounds]) for _, rounds in loads]
        ours = name == "tandem"
        colour = OURS if ours else next(colours)
        axes.plot(
            across,
            up,
            marker="o",
            markersize=4,
            color=colour,
            linewidth=2.5 if ours else 1.2,
            label=system["title"],
        )
        if ours:
            for (callers, _), right, high in zip(loads, across, up, strict=True):
                axes.annotate(f" {callers}", (right, high), color=colour, va="top")
    axes.set(xscale="log", yscale="log", xlabel="requests a second", ylabel="median latency, ms")
    axes.xaxis.set_major_formatter(NUMBERS)
    axes.yaxis.set_major_formatter(NUMBERS)
    axes.set_title("1, 16, 64 and 256 callers; right and low is good", fontsize=10)
    axes.legend(fontsize=8, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))


def batch_sizes(axes: Axes, figures: Figures) -> None:
    """Rows a call by callers: the mean, and the largest."""
    points: list[dict[str, Any]] = figures["points"]
    callers = [point["callers"] for point in points]
    axes.plot(
        callers, [point["mean"] for point in points], marker="o", color=OURS, linewidth=2.5, label="mean"
    )
    axes.plot(callers, [point["largest"] for point in points], color=GREY, linestyle="--", label="largest")
    axes.set(xscale="log", yscale="log", xlabel="callers at once", ylabel="rows a call of the model")
    axes.set_xticks(callers, [str(number) for number in callers], minor=False)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(NUMBERS)
    axes.legend(frameon=False)


def scaling(axes: Axes, figures: Figures) -> None:
    """Requests a second by workers, and what as many times the first would be."""
    workers = sorted(map(int, figures["workers"]))
    rates = [median(figures["workers"][str(number)]) for number in workers]
    axes.plot(
        workers, [rates[0] * number for number in workers], color=GREY, linestyle="--", label="in proportion"
    )
    axes.plot(workers, rates, marker="o", color=OURS, linewidth=2.5, label="measured")
    axes.set(xlabel="workers", ylabel="requests a second", xticks=workers)
    axes.set_ylim(0, rates[0] * workers[-1] * HEADROOM)
    axes.legend(frameon=False)


def queue_growth(axes: Axes, figures: Figures) -> None:
    """Requests a second of waiting callers by accepted tasks that wait in the queue."""
    points: list[dict[str, Any]] = figures["points"]
    rates = [point["rate"] for point in points]
    axes.plot([point["queued"] for point in points], rates, marker="o", color=OURS, linewidth=2.5)
    axes.set(xlabel="accepted tasks in the queue", ylabel="requests a second of waiting callers")
    axes.set_ylim(0, max(rates) * HEADROOM)
    axes.xaxis.set_major_formatter(NUMBERS)


PLOTS: dict[str, Callable[[Axes, Figures], None]] = {
    "throughput": latency_against_throughput,
    "batch_sizes": batch_sizes,
    "scaling": scaling,
    "queue_growth": queue_growth,
}
