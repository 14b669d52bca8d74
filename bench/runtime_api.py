"""Lambda's Runtime API for one function and one event: what its runtime interface client asks, and tells.

Source: docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import contextlib
import queue
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

REQUEST_ID = "bench"
SECONDS = 60
"""How long whoever asks for a second event is left waiting, if the server does not end before."""


class Told(NamedTuple):
    """What the client posted, where, and when by the performance counter."""

    path: str
    body: bytes
    at: float


class RuntimeApi(ThreadingHTTPServer):
    """Hands out one event; `told` has what came back: a response, or an error."""

    daemon_threads = True

    def __init__(self, event: bytes) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.events: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self.events.put(event)
        self.told: queue.SimpleQueue[Told] = queue.SimpleQueue()
        self.over = threading.Event()

    @property
    def address(self) -> str:
        """For AWS_LAMBDA_RUNTIME_API."""
        return f"127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Tell of a defect; that the client is gone is none, for it is killed once it has told."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    @contextlib.contextmanager
    def serving(self) -> Iterator[None]:
        """Serve until the end of the block."""
        thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self.over.set()
            self.shutdown()
            self.server_close()
            thread.join(SECONDS)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: RuntimeApi

    def do_GET(self) -> None:
        """`invocation/next`: the event; there is no second one."""
        try:
            event = self.server.events.get_nowait()
        except queue.Empty:
            self.server.over.wait(SECONDS)
            self.close_connection = True
            return
        self.send_response(200)
        self.send_header("Lambda-Runtime-Aws-Request-Id", REQUEST_ID)
        self.send_header("Lambda-Runtime-Deadline-Ms", str(int((time.time() + SECONDS) * 1000)))
        self.send_header(
            "Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-central-1:0:function:bench"
        )
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(event)))
        self.end_headers()
        self.wfile.write(event)

    def do_POST(self) -> None:
        """The response to the event, or an error of it or of the start."""
        at = time.perf_counter()
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.told.put(Told(self.path, body, at))
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        """Nothing: what matters is told."""
