"""FastAPI with the model in its process, and with nothing behind the route: the ceiling of the web side."""

from __future__ import annotations

from bench.peers.serving import served


def _command(port: int) -> list[str]:
    return ["-m", "uvicorn", "in_process:app", "--port", str(port), "--no-access-log"]


SYSTEMS = [
    served("in-process", "FastAPI, model in process", "features", _command, peer="fastapi"),
    served("empty", "FastAPI, empty route", "empty", _command, peer="fastapi"),
]
