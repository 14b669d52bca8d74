"""An application as a Lambda handler, through Mangum."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from mangum import Mangum
from mangum.adapter import DEFAULT_TEXT_MIME_TYPES

from tandem.backplane import logs
from tandem.backplane.edge import close_edge
from tandem.backplane.problems import MEDIA_TYPE, status_problem
from tandem.backplane.settings import settings

TEXT_TYPES = (*DEFAULT_TEXT_MIME_TYPES, MEDIA_TYPE, "application/x-ndjson")
"""Bodies that travel as they are; any other type goes back as base64."""


class LambdaHandler:
    """Called with one event at a time; keeps one event loop, and what is wired to it, from call to call.

    Mangum runs the application on the thread's current loop. That is set here before every call: Python 3.12
    and later deprecate that Mangum makes one itself, and an `asyncio.run` of anybody's would unset it.
    """

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._loop: asyncio.AbstractEventLoop | None = None

    def __call__(self, event: Any, context: Any) -> dict[str, Any]:
        """Answer an event of an HTTP API; any other event gets a 400 and reaches no route."""
        if not _is_http(event):
            return _refused("This function answers events of an API Gateway HTTP API.")
        if self._loop is None or self._loop.is_closed():
            logs.configure(settings().log_level)
            self._loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self._loop)
        mangum = Mangum(self._app, lifespan="off", text_mime_types=[*TEXT_TYPES])
        try:
            answer: dict[str, Any] = mangum(event, context)
        except (AttributeError, KeyError, TypeError, ValueError):
            # From reading the event: whatever the application raises, it has answered itself.
            return _refused("The event is not well-formed.")
        return answer

    def close(self) -> None:
        """Close the loop and what is wired to it; a later call starts anew."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.run_until_complete(close_edge())
            self._loop.close()
            asyncio.set_event_loop(None)


def _is_http(event: Any) -> bool:
    context = event.get("requestContext") if isinstance(event, Mapping) else None
    return isinstance(context, Mapping) and ("http" in context or "httpMethod" in event)


def _refused(detail: str) -> dict[str, Any]:
    return {
        "statusCode": 400,
        "headers": {"content-type": MEDIA_TYPE},
        "body": json.dumps(status_problem(400, detail)),
        "isBase64Encoded": False,
    }


def mangum_handler(app: FastAPI) -> LambdaHandler:
    """Make the `handler` of a function's module."""
    return LambdaHandler(app)
