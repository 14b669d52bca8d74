"""A model that writes down each execution, logged as code, and then does what its row says."""

import os
import time
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel

LEAK_BYTES = 20_000_000


class Counting(PythonModel):
    """`number` goes into the file that EXECUTIONS names, once an execution, before anything else happens.

    `seconds` is how long the row takes; `action` is nothing, `exit` (the process dies) or `leak`.
    """

    def __init__(self) -> None:
        self._leaked: list[bytearray] = []

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> pd.DataFrame:
        """The number of each row, so that an answer that went to somebody else is seen."""
        del context, params
        return pd.DataFrame([self._row(row) for row in model_input.to_dict(orient="records")])

    def _row(self, row: dict[Any, Any]) -> dict[str, Any]:
        with Path(os.environ["EXECUTIONS"]).open("a") as file:
            file.write(f"{row['number']}\n")
        if row["action"] == "exit":
            os._exit(1)
        if row["action"] == "leak":
            self._leaked.append(bytearray(b"x" * LEAK_BYTES))
        time.sleep(row["seconds"])
        return {"number": row["number"]}


set_model(Counting())
