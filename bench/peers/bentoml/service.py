"""Two services: one call to the model a request, and calls gathered by BentoML's adaptive batching."""

import os
from typing import Any

import bentoml  # type: ignore[import-not-found]  # the peer's own
import mlflow
import pandas as pd

Row = dict[str, float]


class _Model:
    def __init__(self) -> None:
        self._model: Any = mlflow.pyfunc.load_model(os.environ["BENCH_MODEL"])

    def answers(self, rows: list[Row]) -> list[list[float]]:
        return self._model.predict(pd.DataFrame(rows)).tolist()  # type: ignore[no-any-return]


@bentoml.service(workers=1, traffic={"timeout": 60})
class OneByOne(_Model):
    """One row, one call."""

    @bentoml.api  # type: ignore[untyped-decorator]
    def predict(self, features: Row) -> dict[str, list[float]]:
        """The probabilities of one row."""
        return {"probabilities": self.answers([features])[0]}


@bentoml.service(workers=1, traffic={"timeout": 60})
class Adaptive(_Model):
    """Rows of several requests, one call."""

    @bentoml.api(batchable=True, max_batch_size=256)  # type: ignore[untyped-decorator]
    def predict(self, rows: list[Row]) -> list[list[float]]:
        """The probabilities of each row."""
        return self.answers(rows)
