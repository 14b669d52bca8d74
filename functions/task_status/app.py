"""State and result of a task, canceling it, and health."""

from tandem.backplane.light_start import collect_again

import asyncio
import hashlib
import re

from fastapi import Request
from starlette.responses import Response

from tandem.backplane.edge import Edge, edge
from tandem.backplane.errors import TaskNotFound
from tandem.backplane.health import add_health_routes
from tandem.backplane.http import create_app, route
from tandem.backplane.lambda_handler import mangum_handler
from tandem.backplane.parameters import WaitSeconds
from tandem.schemas.task import TaskRecord
from tandem.schemas.task_answer import TaskStatusAnswer, task_status_json

app = create_app("Tandem: tasks", "What became of a task.")
handler = mangum_handler(app)

RETRY_AFTER_SECONDS = 1
_TASK_ID = re.compile(r"[0-9A-Za-z_-]{1,64}")


@route(
    app,
    "GET",
    "/monitoring/task_status/{task_id}",
    response_model=TaskStatusAnswer,
    responses={304: {"description": "Nothing is new since the ETag in If-None-Match"}},
    tags=["tasks"],
)
async def task_status(request: Request, task_id: str, wait: WaitSeconds = 0.0) -> Response:
    """Read state and result; with `wait`, as soon as the task has ended or the wait is over."""
    wired = edge()
    owner = wired.caller(request.scope)
    record = await wired.tasks.read(_checked(task_id), owner)
    if wait and not record.state.terminal:
        record = await _ended(wired, task_id, owner, wait)
    return await _answer(request, record)


@route(app, "DELETE", "/monitoring/task_status/{task_id}", response_model=TaskStatusAnswer, tags=["tasks"])
async def cancel_task(request: Request, task_id: str) -> Response:
    """Cancel a task; the answer is its state from now on, and another than REVOKED if it had ended before."""
    wired = edge()
    owner = wired.caller(request.scope)
    await wired.tasks.cancel(_checked(task_id), owner)
    return await _answer(request, await wired.tasks.read(task_id, owner))


def _checked(task_id: str) -> str:
    """The id, if it can be one."""
    if _TASK_ID.fullmatch(task_id) is None:
        raise TaskNotFound
    return task_id


async def _ended(wired: Edge, task_id: str, owner: str, seconds: float) -> TaskRecord:
    """The record once the task has ended, or as it is after `seconds`."""
    async with wired.replies.expect(task_id, watch=True) as reply:
        # It may have ended between the caller's reading and ours.
        record = await wired.tasks.read(task_id, owner)
        if record.state.terminal:
            return record
        try:
            async with asyncio.timeout(seconds):
                document = await reply
        except TimeoutError:
            document = b""
    return await wired.tasks.read(task_id, owner, document)


async def _answer(request: Request, record: TaskRecord) -> Response:
    link = None
    if record.kept is not None:
        link = await asyncio.to_thread(edge().claim_check.result_link, record.kept)
    body = task_status_json(record, link)
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
    if not record.state.terminal:
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    known = [
        value.strip().removeprefix("W/") for value in request.headers.get("if-none-match", "").split(",")
    ]
    if request.method == "GET" and (etag in known or "*" in known):
        return Response(status_code=304, headers=headers)
    return Response(body, 200, headers, "application/json")


add_health_routes(app)
collect_again()
