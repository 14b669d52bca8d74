"""An ASGI application on a port of its own, served by a real uvicorn in a thread or in processes."""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn

from local.child import Child
from local.ports import answers, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import ASGIApp

CHECKOUT = Path(__file__).parents[3]
HTTP = b"GET /health/live HTTP/1.0\r\n\r\n"


@contextmanager
def in_a_thread(app: ASGIApp) -> Iterator[str]:
    """The URL of `app` while it is served."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning", lifespan="on"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        deadline = time.monotonic() + 30
        while not server.started:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(30)


@contextmanager
def in_processes(app: str, count: int, log: Path, **variables: str) -> Iterator[str]:
    """The URL of the application at the import path `app` while `count` processes serve it."""
    port = free_port()
    paths = {"PYTHONPATH": os.pathsep.join([str(CHECKOUT), str(CHECKOUT / "common")])}
    uvicorn_arguments = [app, "--port", str(port), "--workers", str(count), "--no-access-log"]
    server = Child(
        "uvicorn",
        [sys.executable, "-m", "uvicorn", *uvicorn_arguments],
        log=log,
        variables=os.environ | paths | variables,
    )
    server.start()
    try:
        server.wait_until(lambda: answers(port, HTTP, b"HTTP/1.1 200"), timeout_seconds=60)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.stop()
