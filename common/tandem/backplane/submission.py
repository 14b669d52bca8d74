"""Accepting work: the row before the message, the confirm before the 202, one task for one key."""

import contextlib
from collections.abc import Awaitable, Callable

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from tandem.backplane.edge import Edge
from tandem.backplane.errors import (
    BrokerUnavailable,
    QueueFull,
    QueueMissing,
    ResultGone,
    StoreUnavailable,
    TandemError,
    TaskNotFound,
)
from tandem.backplane.headers import header_of
from tandem.backplane.idempotency import Claim, IdempotencyStore, StoredAnswer, checked_key
from tandem.backplane.message import Message
from tandem.backplane.prediction_request import new_task_id, status_url_of
from tandem.backplane.store import taking_back
from tandem.schemas.prediction import Accepted
from tandem.schemas.task import TaskState

RETRY_AFTER_SECONDS = 1
"""When it is worth asking first for what has just been accepted."""


async def accept(edge: Edge, message: Message, expires_in_seconds: int, owner: str) -> None:
    """Record a task as its owner's and publish its message; on return it is accepted.

    Raises QueueFull or QueueMissing (and then it never was), BrokerUnavailable (and then that is unknown, and
    the same id may be sent again) or StoreUnavailable.
    """
    is_new = await edge.tasks.accept(message.task_id, expires_in_seconds, owner=owner)
    try:
        await edge.publisher.publish(message)
    except (QueueFull, QueueMissing):
        if is_new:  # otherwise an earlier message with this id may be queued, and its task is to be known
            async with taking_back():
                await edge.tasks.forget(message.task_id)
        raise


def accepted_response(task_id: str) -> Response:
    """The 202 of an accepted task."""
    url = status_url_of(task_id)
    body = Accepted(task_id=task_id, status_url=url).model_dump_json()
    headers = {"Location": url, "Retry-After": str(RETRY_AFTER_SECONDS)}
    return Response(body, 202, headers, "application/json")


async def once(
    edge: Edge, request: Request, body: bytes, answer: Callable[[str], Awaitable[Response]]
) -> Response:
    """Answer with `answer(task_id)`, or with the first answer where the request repeats its Idempotency-Key.

    Keys are each caller's own: two callers may use the same one.
    What fails is not kept: the next request with the key tries again. Raises RequestInProgress and
    InvalidRequest as `IdempotencyStore.claim` does.
    """
    header = header_of(request.scope, b"idempotency-key")
    if header is None:
        return await answer(new_task_id())
    store = IdempotencyStore(edge.client)
    route = request.url.path.rstrip("/")
    owner = edge.caller(request.scope)
    offered = new_task_id()
    claim = await store.claim(
        owner=owner,
        route=route,
        key=checked_key(header),
        # Which model is meant is part of what was asked.
        body=request.url.query.encode() + b"\0" + body,
        task_id=offered,
    )
    if isinstance(claim, StoredAnswer):
        return Response(claim.body, claim.status, claim.headers, "application/json")
    try:
        response = await answer(claim.task_id)
    except TandemError as error:
        in_doubt = isinstance(error, BrokerUnavailable) and not isinstance(error, QueueMissing)
        was_in_doubt = claim.task_id != offered
        async with taking_back():
            await store.release(claim, keep_task_id=in_doubt or was_in_doubt)
        raise
    except ClientDisconnect:
        await _release(edge, store, claim, owner)
        raise
    if response.status_code < 300:  # noqa: PLR2004  the successes
        kept = {
            name: response.headers[name] for name in ("location", "retry-after") if name in response.headers
        }
        # Without the row the key is taken over after a while, under the same task id.
        with contextlib.suppress(StoreUnavailable):
            await store.complete(claim, StoredAnswer(response.status_code, kept, bytes(response.body)))
    else:
        await _release(edge, store, claim, owner)
    return response


async def _release(edge: Edge, store: IdempotencyStore, claim: Claim, owner: str) -> None:
    """Let a repetition try anew; what still runs, or has ended since, is what it then asks for."""
    with contextlib.suppress(StoreUnavailable):
        try:
            state = (await edge.tasks.read(claim.task_id, owner)).state
            runs_on = state not in {TaskState.REVOKED, TaskState.FAILURE}
        except (TaskNotFound, ResultGone):
            runs_on = False
        await store.release(claim, keep_task_id=runs_on)
