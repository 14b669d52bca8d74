"""MLServer with one inference process, which gathers up to 256 requests for at most 2 ms."""

import asyncio
import os
import socket
import sys

from mlserver import MLServer, ModelSettings, Settings  # type: ignore[import-not-found]  # the peer's own
from mlserver.settings import ModelParameters  # type: ignore[import-not-found]
from mlserver_mlflow import MLflowRuntime  # type: ignore[import-not-found]


def free_port() -> int:
    """For the ports that nobody asks here."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def main(port: int) -> None:
    """Serve until it is stopped."""
    settings = Settings(
        host="127.0.0.1",
        http_port=port,
        grpc_port=free_port(),
        metrics_port=free_port(),
        parallel_workers=1,
        access_log=False,
    )
    model = ModelSettings(
        name="bench",
        implementation=MLflowRuntime,
        parameters=ModelParameters(uri=os.environ["BENCH_MODEL"]),
        max_batch_size=256,
        max_batch_time=0.002,
    )
    await MLServer(settings).start([model])


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
