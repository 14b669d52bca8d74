"""LitServe with one worker process, which gathers up to 256 rows for at most 2 ms."""

import os
import sys
from typing import Any

import litserve  # type: ignore[import-not-found]  # the peer's own
import mlflow
import pandas as pd

Row = dict[str, float]


class Probabilities(litserve.LitAPI):  # type: ignore[misc]
    """The model behind LitServe's steps."""

    def setup(self, device: str) -> None:
        """Load the model."""
        del device
        self._model: Any = mlflow.pyfunc.load_model(os.environ["BENCH_MODEL"])

    def decode_request(self, request: dict[str, Row]) -> Row:
        """The row."""
        return request["features"]

    def batch(self, inputs: list[Row]) -> pd.DataFrame:
        """Rows of several requests."""
        return pd.DataFrame(inputs)

    def predict(self, x: pd.DataFrame) -> Any:
        """One call for all."""
        return self._model.predict(x)

    def unbatch(self, output: Any) -> list[Any]:
        """One answer a row."""
        return list(output)

    def encode_response(self, output: Any) -> dict[str, list[float]]:
        """The answer."""
        return {"probabilities": output.tolist()}


if __name__ == "__main__":
    api = Probabilities(max_batch_size=256, batch_timeout=0.002)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=1, timeout=60)
    server.run(
        host="127.0.0.1",
        port=int(sys.argv[1]),
        generate_client_file=False,
        log_level="warning",
        num_api_servers=1,
    )
