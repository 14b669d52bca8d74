"""From expected goals to chances."""

import numpy as np
import pytest

from models.football.score_lines import outcome_chances


def test_chances_sum_to_one_and_mirror() -> None:
    """Three chances sum to one, and exchanging the sides exchanges win and defeat."""
    rates = np.array([0.2, 1.5, 4.0]), np.array([2.0, 1.5, 0.5])
    chances = outcome_chances(*rates)
    assert chances.sum(axis=1) == pytest.approx([1.0] * 3)
    assert outcome_chances(*rates[::-1]) == pytest.approx(chances[:, ::-1])


def test_chances_agree_with_dice() -> None:
    """A hundred thousand drawn matches come out as the chances say."""
    generator = np.random.default_rng(7)
    home, away = generator.poisson(1.6, 100_000), generator.poisson(1.1, 100_000)
    drawn = [(home > away).mean(), (home == away).mean(), (home < away).mean()]
    assert outcome_chances(np.array([1.6]), np.array([1.1]))[0] == pytest.approx(drawn, abs=0.006)
