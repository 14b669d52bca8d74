"""Which of two models is served."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from models.football.evaluation import Evaluation
from models.football.promotion import champion, promote
from models.football.registration import ModelVersion, RegistryUnavailable
from tests.unit.models.football.conftest import MLFLOW_WARNINGS

pytestmark = pytest.mark.filterwarnings(*MLFLOW_WARNINGS)

Register = Callable[..., ModelVersion]


def worse(evaluation: Evaluation) -> Evaluation:
    """The same matches judged with less skill."""
    return replace(evaluation, model=evaluation.model * 0.5 + 0.5 / 3)


def test_only_a_model_that_is_not_worse_is_promoted(
    register_again: Register, registry: str, evaluation: Evaluation
) -> None:
    """The first is promoted, a worse one is not unless asked, an equal one is."""
    name = "rivals"
    assert champion(name, "champion", registry) is None
    first = register_again(name)
    assert champion(name, "champion", registry) is None
    assert promote(first, "champion", registry, regardless=False) is None
    second = register_again(name, evaluation=worse(evaluation))
    objection = promote(second, "champion", registry, regardless=False)
    assert objection is not None
    assert "worse than version 1" in objection
    assert champion(name, "champion", registry) == first
    assert promote(second, "champion", registry, regardless=True) is None
    assert champion(name, "champion", registry) == second
    third = register_again(name)
    assert promote(third, "champion", registry, regardless=False) is None
    assert champion(name, "champion", registry) == third


def test_real_results_take_the_place_of_made_up_ones(
    register_again: Register, registry: str, evaluation: Evaluation
) -> None:
    """A model of a made-up league gives way to one of real results, however judged, and never returns."""
    name = "made-up-rivals"
    made_up = register_again(name)
    promote(made_up, "champion", registry, regardless=False)
    real = register_again(name, evaluation=worse(evaluation), made_up=False)
    assert promote(real, "champion", registry, regardless=False) is None
    objection = promote(made_up, "champion", registry, regardless=False)
    assert objection is not None
    assert "made-up" in objection


def test_a_registry_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that is away is an error of its own, in one line, and not a missing champion."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(RegistryUnavailable, match="the registry failed") as told:
        champion("match-outcome", "champion", "http://127.0.0.1:9")
    assert "\n" not in str(told.value)


def test_probabilities_made_worse_still_sum_to_one(evaluation: Evaluation) -> None:
    """The less skilful rival of these tests is a proper model."""
    assert np.allclose(worse(evaluation).model.sum(axis=1), 1.0)
