"""How good the model is on matches it has not seen: walking forward, beside prior and yardstick."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.football.fixture import Fixture
from models.football.outcome_model import fit
from models.football.results_csv import InvalidResults
from models.football.score_lines import Array
from models.football.seasons import seasons_of
from models.football.yardstick import fit_yardstick, yardstick_features

REFIT_EVERY = 100
"""Matches between two fits of the walk: some ten rounds."""
FEWEST_MATCHES = 200
BOOTSTRAP_SAMPLES = 10_000
BOOTSTRAP_SEED = 20160813

Outcomes = npt.NDArray[np.int64]


def outcomes_of(played: Sequence[Fixture]) -> Outcomes:
    """Classes of played matches, (n,)."""
    return np.array([match.outcome for match in played if match.outcome is not None], dtype=np.int64)


def goals_of(played: Sequence[Fixture]) -> npt.NDArray[np.int64]:
    """Goals of the home and the away side of played matches, (n, 2)."""
    sides = [(match.home, match.away) for match in played]
    return np.array([(home.goals, away.goals) for home, away in sides if home and away], dtype=np.int64)


def log_losses(probabilities: Array, outcomes: Outcomes) -> Array:
    """Minus the logarithm of the probability given to what happened, per match, (n,)."""
    return -np.log(probabilities[np.arange(len(outcomes)), outcomes])


def paired_interval(differences: Array) -> tuple[float, float]:
    """The 95 % interval of the mean of paired differences, by bootstrap over matches."""
    generator = np.random.default_rng(BOOTSTRAP_SEED)
    count = len(differences)
    means = [differences[generator.integers(0, count, count)].mean() for _ in range(BOOTSTRAP_SAMPLES)]
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


@dataclass(frozen=True)
class Evaluation:
    """Probabilities for matches none of which was trained on: three arrays (n, 3) beside `outcomes` (n,)."""

    outcomes: Outcomes
    model: Array
    yardstick: Array
    prior: Array

    def metrics(self) -> dict[str, float]:
        """Every figure worth keeping; losses in nats, differences model less yardstick (negative: better)."""
        losses = log_losses(self.model, self.outcomes)
        difference = losses - log_losses(self.yardstick, self.outcomes)
        low, high = paired_interval(difference)
        hits = np.eye(3)[self.outcomes]
        return {
            "log_loss": float(losses.mean()),
            "accuracy": float((self.model.argmax(axis=1) == self.outcomes).mean()),
            "brier": float(((self.model - hits) ** 2).sum(axis=1).mean()),
            "prior_log_loss": float(log_losses(self.prior, self.outcomes).mean()),
            "yardstick_log_loss": float(log_losses(self.yardstick, self.outcomes).mean()),
            "yardstick_accuracy": float((self.yardstick.argmax(axis=1) == self.outcomes).mean()),
            "yardstick_difference": float(difference.mean()),
            "yardstick_difference_low": low,
            "yardstick_difference_high": high,
            "evaluated_matches": float(len(self.outcomes)),
        }


def newest(played: Sequence[Fixture]) -> int:
    """Index of the first match to evaluate: the last two seasons of four or more, else the newest third."""
    seasons = seasons_of(played)
    latest = max(seasons)
    start = seasons.index(latest - 1) if latest >= 3 else len(played) * 2 // 3  # noqa: PLR2004 - as said
    return _first_of_day(played, start)


def _first_of_day(played: Sequence[Fixture], index: int) -> int:
    while index and played[index - 1].match_date == played[index].match_date:
        index -= 1
    return index


def _blocks(played: Sequence[Fixture], start: int) -> list[tuple[int, int]]:
    """Cut the matches from `start` on into runs of about REFIT_EVERY that end between two days."""
    cuts = [start]
    for index in range(start + REFIT_EVERY, len(played), REFIT_EVERY):
        cut = _first_of_day(played, index)
        if cut > cuts[-1]:
            cuts.append(cut)
    return list(zip(cuts, [*cuts[1:], len(played)], strict=True))


def walk_forward(played: Sequence[Fixture], frame: pd.DataFrame) -> Evaluation:
    """Predict each of the newest matches by models fitted on earlier days alone, refitted along the way.

    `played` by date, `frame` their features. The yardstick is fitted on the same matches at the same points.
    Raises InvalidResults where there are too few matches.
    """
    start, outcomes, goals = newest(played), outcomes_of(played), goals_of(played)
    if len(played) < FEWEST_MATCHES or len(set(outcomes[:start])) < 3:  # noqa: PLR2004 - three classes
        raise InvalidResults(f"{len(played)} matches are too few to train on; {FEWEST_MATCHES} are the least")
    plain = yardstick_features(played)
    model, yardstick, prior = [], [], []
    for begin, end in _blocks(played, start):
        model.append(fit(frame[:begin], goals[:begin]).predict_proba(frame[begin:end]))
        yardstick.append(fit_yardstick(plain[:begin], outcomes[:begin]).predict_proba(plain[begin:end]))
        prior.append(np.tile(np.bincount(outcomes[:begin], minlength=3) / begin, (end - begin, 1)))
    return Evaluation(outcomes[start:], np.vstack(model), np.vstack(yardstick), np.vstack(prior))
