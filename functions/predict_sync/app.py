"""Wait for one prediction, from features in the body or from those stored for a match."""

from tandem.backplane.light_start import collect_again

import asyncio
from contextlib import suppress
from typing import Any

from fastapi import Request
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from tandem.backplane.body import read_json
from tandem.backplane.disconnects import answered
from tandem.backplane.edge import Edge, edge
from tandem.backplane.errors import DeadlinePassed, StoreUnavailable
from tandem.backplane.headers import headers_of
from tandem.backplane.health import add_health_routes
from tandem.backplane.http import create_app, direct_route, route
from tandem.backplane.lambda_handler import mangum_handler
from tandem.backplane.openapi import json_body
from tandem.backplane.parameters import (
    SELECTION,
    AfterMatch,
    Limit,
    MatchIdInPath,
    selection_of,
)
from tandem.backplane.prediction_request import (
    PredictionRequest,
    is_loaded,
    new_task_id,
    read_request,
    served_model,
    status_url_of,
    stored_features,
)
from tandem.backplane.prefer import Waiting, waiting_of
from tandem.backplane.problems import error_response, problem_response
from tandem.backplane.result_format import problem_of_meta, result_json_of, succeeded
from tandem.backplane.submission import accept, accepted_response, once
from tandem.backplane.topology import HIGH, SYNC
from tandem.schemas.prediction import (
    Accepted,
    MatchRow,
    ModelInfo,
    ModelSignature,
    PredictAnswer,
    PredictRequest,
)

app = create_app("Tandem: predict", "Predict and wait for the answer.")
handler = mangum_handler(app)

PREDICTS: dict[str, Any] = {
    "response_model": PredictAnswer,
    "responses": {202: {"model": Accepted, "description": "Prefer: respond-async, and not done in time"}},
    "tags": ["predict"],
}


@direct_route(app, "/predict/", openapi_extra=json_body(PredictRequest) | SELECTION, **PREDICTS)
async def predict(request: Request) -> Response:
    """Predict from the features in the body."""
    wired = edge()
    body, value = await read_json(request, wired.settings.max_body_bytes)
    card = await served_model(wired, selection_of(request))
    asked = read_request(PredictRequest, value, card)
    wanted = PredictionRequest(card, asked.features, asked.match_id)
    return await once(wired, request, body, lambda task_id: _answer(wired, request, wanted, task_id))


@route(app, "GET", "/predict/matches/", response_model=list[MatchRow], tags=["predict"])
async def upcoming_matches(limit: Limit = 100, after: AfterMatch = None) -> list[MatchRow]:
    """Upcoming matches, soonest first."""
    wired = edge()
    matches = await wired.matches.upcoming(wired.settings.today, limit, after)
    return [MatchRow.model_validate(match, from_attributes=True) for match in matches]


@route(app, "GET", "/predict/model/info", response_model=ModelInfo, openapi_extra=SELECTION, tags=["predict"])
async def model_info(request: Request) -> ModelInfo:
    """What the registry knows of the served model."""
    wired = edge()
    card = await served_model(wired, selection_of(request))
    signature = ModelSignature(inputs=card.inputs, outputs=card.outputs)
    return ModelInfo(**dict(card), loaded=await is_loaded(wired, card), signature=signature)


@route(app, "GET", "/predict/{match_id}", openapi_extra=SELECTION, **PREDICTS)
async def predict_match(request: Request, match_id: MatchIdInPath) -> Response:
    """Predict from the features stored for a match."""
    wired = edge()
    card = await served_model(wired, selection_of(request))
    features = await stored_features(wired, match_id, card)
    return await _answer(wired, request, PredictionRequest(card, features, match_id), new_task_id())


async def _answer(wired: Edge, request: Request, wanted: PredictionRequest, task_id: str) -> Response:
    """The answer within the time the caller gives, else a 202 or a 504 as it prefers."""
    waiting = waiting_of(headers_of(request.scope, b"prefer"), wired.settings.sync_timeout_seconds)
    if waiting.respond_async:
        return await _answer_or_accept(wired, request, wanted, task_id, waiting)
    (await wired.catalog.read()).require_worker(wanted.card.model_name, wanted.card.alias)
    submitted_ms = wired.catalog.now_ms()
    message = wanted.waited_for(
        wired, task_id, queue=SYNC, submitted_ms=submitted_ms, seconds=waiting.seconds
    )
    async with wired.replies.expect(task_id) as reply:
        # Nobody waits for the confirm: the reply says more, and a refusal ends the wait for it.
        wired.publisher.start(message, reply)
        try:
            meta = await answered(request.receive, reply, waiting.seconds)
        except TimeoutError:
            meta = b""
            with suppress(
                StoreUnavailable
            ):  # it was there when the wait began; the deadline is what has passed
                meta = await wired.tasks.abandon(task_id, submitted_ms, wired.caller(request.scope))
        except ClientDisconnect:
            await wired.tasks.abandon(task_id, submitted_ms, wired.caller(request.scope))
            raise
    headers = waiting.applied(accepted=False)
    if not meta:
        return error_response(request.scope, DeadlinePassed(task_id, status_url_of(task_id)), headers)
    return _answer_of(request, meta, headers)


async def _answer_or_accept(
    wired: Edge, request: Request, wanted: PredictionRequest, task_id: str, waiting: Waiting
) -> Response:
    """Accept the task for good, then wait a while: the caller either reads the answer here or fetches it."""
    # The lane of high priority, because somebody may still be waiting.
    message = wanted.accepted(wired, task_id, queue=HIGH, reply_to=wired.replies.channel)
    async with wired.replies.expect(task_id) as reply:
        await accept(wired, message, wired.settings.default_expires_seconds, wired.caller(request.scope))
        try:
            async with asyncio.timeout(waiting.seconds):
                meta = await reply
        except TimeoutError:
            response = accepted_response(task_id)
            response.headers.update(waiting.applied(accepted=True))
            return response
    return _answer_of(request, meta, waiting.applied(accepted=False))


def _answer_of(request: Request, meta: bytes, headers: dict[str, str]) -> Response:
    """What a task ended with: the worker's own bytes, or its problem."""
    if succeeded(meta):
        return Response(result_json_of(meta), 200, headers, "application/json")
    return problem_response(request.scope, problem_of_meta(meta), headers)


add_health_routes(app)
collect_again()
