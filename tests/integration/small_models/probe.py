"""A model that does what its row says, logged as code: the misbehaviour that tests of delivery need."""

import os
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel


class Probe(PythonModel):
    """`action`: echo, raise, exit, sleep, nan; `trace`: a file that gets one line per execution.

    `switch`: a file without which `exit` does not; `calls`: a file that gets the rows of each call.
    """

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> pd.DataFrame:
        """One answer per row; a row that raises takes the whole batch with it."""
        del context, params
        calls = model_input.get("calls")
        if calls is not None and isinstance(calls.iloc[0], str):
            with Path(calls.iloc[0]).open("a") as file:
                file.write(f"{len(model_input)}\n")
        return pd.DataFrame([self._row(row) for row in model_input.to_dict(orient="records")])

    def _row(self, row: dict[Any, Any]) -> dict[str, Any]:
        trace = row.get("trace")
        if isinstance(trace, str):
            with Path(trace).open("a") as file:
                file.write(f"{os.getpid()} {row['action']}\n")
        if row["action"] == "raise":
            raise ValueError("as asked")
        switch = row.get("switch")
        if row["action"] == "exit" and (not isinstance(switch, str) or Path(switch).exists()):
            os._exit(1)
        seconds = row.get("seconds", float("nan"))
        if row["action"] == "sleep":
            time.sleep(seconds)
        answer = {"echo": row["action"], "seconds": seconds, "count": row.get("count", -1)}
        return {**answer, "at": row.get("at"), "python": sys.version_info.major}


set_model(Probe())
