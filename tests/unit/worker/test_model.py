"""A loaded model: one call for many rows, answers in the contract's form, faults named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tandem.backplane.errors import InvalidRequest, ModelError
from tests.unit.worker.loaded_models import Doubler, loaded_model

if TYPE_CHECKING:
    import pandas as pd


class Certain:
    """A pyfunc that is sure of a draw."""

    def predict(self, data: pd.DataFrame) -> Any:
        """The same three probabilities for every row."""
        return np.tile([0.1, 0.8, 0.1], (len(data), 1))


def test_many_rows_are_one_call() -> None:
    """The model is called once, and each row gets its own answer."""
    pyfunc = Doubler()
    answers = loaded_model(pyfunc).predict_rows([{"x": 1}, {"x": 2.5}])
    origin = {"model_name": "m", "model_version": "3", "model_run_id": "r"}
    assert answers == [{"output": 2.0, **origin}, {"output": 5.0, **origin}]
    assert pyfunc.batches == [2]


def test_the_match_model_answers_in_the_contracts_form() -> None:
    """Class, outcome and probabilities beside the model's name, version and run."""
    [answer] = loaded_model(Certain(), predicts_matches=True).predict_rows([{"x": 1}])
    assert answer["outcome"] == "draw"
    assert answer["probabilities"] == {"0": 0.1, "1": 0.8, "2": 0.1}
    assert answer["model_version"] == "3"


def test_features_are_checked_against_the_signature() -> None:
    """Every fault is named, nothing is converted."""
    with pytest.raises(InvalidRequest) as raised:
        loaded_model(Doubler()).check({"x": "1", "y": 2})
    assert [error["loc"] for error in raised.value.errors] == [["features", "x"], ["features", "y"]]


def test_a_row_that_slipped_through_is_still_named() -> None:
    """Checked against another version, a row may not fit this one: the field is named here too."""
    with pytest.raises(InvalidRequest) as raised:
        loaded_model(Doubler()).predict_rows([{"x": "1"}])
    assert raised.value.errors[0]["loc"] == ["features", "x"]


def test_a_model_is_warmed_with_its_own_example() -> None:
    """One prediction before work; a model that cannot predict its own example is not served."""
    pyfunc = Doubler()
    loaded_model(pyfunc, example={"x": 1.0}).warm()
    assert pyfunc.batches == [1]
    with pytest.raises(ModelError, match="probabilities"):
        loaded_model(Doubler(), predicts_matches=True, example={"x": 1.0}).warm()
    loaded_model(pyfunc).warm()
    assert pyfunc.batches == [1]
