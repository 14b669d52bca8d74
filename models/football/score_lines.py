"""From expected goals to the chances of a home win, a draw and an away win."""

import math

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

MOST_GOALS = 15
"""A side that expects three goals scores more than this once in ten million matches."""


def _goal_chances(rates: Array) -> Array:
    """Poisson probabilities of 0 to MOST_GOALS goals, (n, MOST_GOALS + 1)."""
    goals = np.arange(MOST_GOALS + 1)
    factorials = np.array([math.factorial(count) for count in goals], dtype=float)
    chances: Array = np.exp(-rates)[:, None] * rates[:, None] ** goals / factorials
    return chances


def outcome_chances(home_rates: Array, away_rates: Array) -> Array:
    """Chances of home win, draw, away win, (n, 3), where both sides score independently at these rates."""
    table = _goal_chances(home_rates)[:, :, None] * _goal_chances(away_rates)[:, None, :]
    home_win = np.tril(table, -1).sum(axis=(1, 2))
    draw = np.trace(table, axis1=1, axis2=2)
    away_win = np.triu(table, 1).sum(axis=(1, 2))
    chances: Array = np.column_stack([home_win, draw, away_win])
    chances /= chances.sum(axis=1, keepdims=True)
    return chances
