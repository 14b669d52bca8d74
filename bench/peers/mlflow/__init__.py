"""`mlflow models serve`, with one process and with two."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench import place
from bench.peers.serving import served

if TYPE_CHECKING:
    from bench.system import System


def _serve(processes: int) -> System:
    def command(port: int) -> list[str]:
        serve = ["-m", "mlflow", "models", "serve", "-m", str(place.MODEL), "--env-manager", "local"]
        return [*serve, "--host", "127.0.0.1", "--port", str(port), "--workers", str(processes)]

    title = "mlflow serve" if processes == 1 else f"mlflow serve, {processes} processes"
    return served(f"mlflow-{processes}", title, "mlflow", command, peer="mlflow")


SYSTEMS = [_serve(1), _serve(2)]
