"""Errors to answers, for HTTP: everything of 400 and above is a problem object (RFC 9457).

The worker's twin of this file is its task boundary; nowhere else are errors translated. No answer holds a
stack trace or what the caller sent, other than the path and the names of its fields.
"""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Scope

from tandem.backplane.errors import (
    PROBLEM_TYPE_PREFIX,
    InvalidRequest,
    TandemError,
    Unavailable,
    problem_of,
)
from tandem.backplane.field_errors import field_errors_of

MEDIA_TYPE = "application/problem+json"
MAX_INSTANCE_LENGTH = 200
_RETRY_LATER = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})


def problem_response(
    scope: Scope, problem: Mapping[str, Any], headers: Mapping[str, str] | None = None
) -> Response:
    """The answer for a problem's own members; `instance` and `request_id` are those of the request."""
    status = int(problem["status"])
    members = {
        **problem,
        "instance": str(scope["path"])[:MAX_INSTANCE_LENGTH],
        "request_id": scope["state"]["request_id"],
    }
    sent = dict(headers or {})
    if status in _RETRY_LATER:
        sent.setdefault("Retry-After", str(Unavailable.retry_after_seconds))
    return Response(json.dumps(members), status, sent, MEDIA_TYPE)


def error_response(scope: Scope, error: TandemError, headers: Mapping[str, str] | None = None) -> Response:
    """The answer for an error of ours."""
    sent = dict(headers or {})
    if isinstance(error, Unavailable):
        sent["Retry-After"] = str(error.retry_after_seconds)
    return problem_response(scope, problem_of(error), sent)


def status_problem(status: int, detail: str) -> dict[str, Any]:
    """A problem that is no more than an HTTP status."""
    phrase = HTTPStatus(status).phrase
    return {
        "type": PROBLEM_TYPE_PREFIX + phrase.lower().replace(" ", "-"),
        "title": phrase,
        "status": status,
        "detail": detail,
    }


async def _on_tandem_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, TandemError)  # noqa: S101  it is registered for no other
    return error_response(request.scope, error)


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  it is registered for no other
    details = {
        HTTPStatus.NOT_FOUND: "There is no such route.",
        HTTPStatus.METHOD_NOT_ALLOWED: "This route does not take this method.",
    }
    detail = details.get(HTTPStatus(error.status_code), HTTPStatus(error.status_code).phrase)
    return problem_response(request.scope, status_problem(error.status_code, detail), error.headers)


async def _on_invalid_parameter(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101  it is registered for no other
    return error_response(request.scope, InvalidRequest(field_errors_of(error.errors())))


def install(app: FastAPI) -> None:
    """Have `app` answer every error it knows of with a problem."""
    app.add_exception_handler(TandemError, _on_tandem_error)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(RequestValidationError, _on_invalid_parameter)
