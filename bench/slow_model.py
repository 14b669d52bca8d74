"""A model as slow as a small accelerator: four rows at a time, 20 ms each time, whatever else is going on.

It sleeps instead of computing, so that several workers share no processor and only the waiting counts.
"""

import time
from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel

ROWS_AT_A_TIME = 4
SECONDS = 0.02


class Slow(PythonModel):
    """Answers every row with even chances."""

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> list[list[float]]:
        """Three probabilities a row, after as many waits as the rows take."""
        del context, params
        time.sleep(SECONDS * -(-len(model_input) // ROWS_AT_A_TIME))
        return [[0.5, 0.25, 0.25]] * len(model_input)


set_model(Slow())
