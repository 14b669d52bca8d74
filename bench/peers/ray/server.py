"""Ray Serve with one replica, which gathers up to 256 rows for at most 2 ms."""

import os
import signal
import sys
from typing import Any

import mlflow
import pandas as pd
import ray  # type: ignore[import-not-found]  # the peer's own
from ray import serve
from starlette.requests import Request

Row = dict[str, float]


@serve.deployment(num_replicas=1, max_ongoing_requests=512, ray_actor_options={"num_cpus": 1})
class Probabilities:
    """The model as a deployment."""

    def __init__(self, path: str) -> None:
        self._model: Any = mlflow.pyfunc.load_model(path)

    @serve.batch(max_batch_size=256, batch_wait_timeout_s=0.002)  # type: ignore[untyped-decorator]
    async def answers(self, rows: list[Row]) -> list[list[float]]:
        """Rows of several requests, one call."""
        return self._model.predict(pd.DataFrame(rows)).tolist()  # type: ignore[no-any-return]

    async def __call__(self, request: Request) -> dict[str, list[float]]:
        """The probabilities of one row."""
        body = await request.json()
        return {"probabilities": await self.answers(body["features"])}


if __name__ == "__main__":
    ray.init(num_cpus=2, include_dashboard=False, object_store_memory=100_000_000)
    serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[1])})
    serve.run(Probabilities.bind(os.environ["BENCH_MODEL"]), route_prefix="/predict")  # type: ignore[attr-defined]
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    serve.shutdown()
    ray.shutdown()
