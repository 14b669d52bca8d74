"""The calibration plot: of all matches given a 30 % chance of a draw, were 30 % drawn."""

from collections.abc import Iterator

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from models.football.evaluation import Evaluation, Outcomes
from models.football.score_lines import Array

CLASSES = (("home win", "o", "#0072b2"), ("draw", "s", "#666666"), ("away win", "^", "#d55e00"))
GROUPS = 5
"""Equally large groups of matches per class: over a hundred each, so that chance does not draw the line."""


def _groups(chances: Array, outcomes: Outcomes, label: int) -> Iterator[tuple[float, float, float]]:
    """Give mean chance, share that happened and its standard error, per group of matches alike in chance."""
    order = np.argsort(chances[:, label], kind="stable")
    for group in np.array_split(order, GROUPS):
        share = float((outcomes[group] == label).mean())
        yield (
            float(chances[group, label].mean()),
            share,
            float(np.sqrt(share * (1 - share) / len(group))),
        )


def calibration_plot(evaluation: Evaluation, title: str) -> Figure:
    """Draw predicted against observed shares of the three outcomes, with standard errors.

    The figure belongs to no window and to no global state; whoever saves it may drop it.
    """
    figure = Figure(figsize=(7.0, 6.2), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color="black", linewidth=1, linestyle="--", label="perfectly calibrated")
    for label, (name, marker, colour) in enumerate(CLASSES):
        predicted, observed, error = zip(*_groups(evaluation.model, evaluation.outcomes, label), strict=True)
        axes.errorbar(
            predicted, observed, yerr=error, marker=marker, color=colour, capsize=3, linewidth=1.5, label=name
        )
    axes.set(xlim=(0, 0.9), ylim=(0, 0.9), xlabel="predicted probability", ylabel="share that happened")
    axes.set_title(title, fontsize=11)
    axes.grid(visible=True, alpha=0.3)
    axes.legend(loc="upper left", frameon=False)
    return figure
