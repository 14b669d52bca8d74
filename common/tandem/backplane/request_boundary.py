"""What stands around every request: its id, the answer to a defect of ours, its line in the log, a count."""

import logging
import time

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tandem.backplane.access_log import log_access
from tandem.backplane.metrics import write_embedded
from tandem.backplane.problems import problem_response, status_problem
from tandem.backplane.request_id import HEADER, request_id_of

log = logging.getLogger("tandem.http")

CLIENT_GONE = 499
"""What the log says where the caller left before there was an answer."""


class RequestBoundary:
    """ASGI middleware: the outermost, and the one place where an unforeseen exception ends."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id = request_id_of(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        status = CLIENT_GONE

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (HEADER, request_id.encode())]
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except ClientDisconnect:
            pass
        except Exception:
            log.exception("Request %s ended in a defect", request_id)
            if status == CLIENT_GONE:
                problem = status_problem(500, "The request met a defect of this service; it has been logged.")
                await problem_response(scope, problem)(scope, receive, send_with_id)
        finally:
            log_access(scope, status, started)
            write_embedded(scope, status, started)
