"""Accept one prediction, or many as one job, and answer at once; task_status tells what becomes of it."""

from tandem.backplane.light_start import collect_again

from typing import Any

from fastapi import Request
from starlette.responses import Response

from tandem.backplane.body import JSON, read_json, read_text
from tandem.backplane.bulk import accept_job
from tandem.backplane.claim_check import Upload
from tandem.backplane.edge import edge
from tandem.backplane.errors import InvalidRequest
from tandem.backplane.health import add_health_routes
from tandem.backplane.http import create_app, direct_route, route
from tandem.backplane.lambda_handler import mangum_handler
from tandem.backplane.openapi import json_body
from tandem.backplane.parameters import SELECTION, Selection, selection_of
from tandem.backplane.prediction_request import (
    PredictionRequest,
    read_request,
    served_model,
    stored_features,
)
from tandem.backplane.row_texts import CSV, NDJSON
from tandem.backplane.strict_json import parse_strict
from tandem.backplane.submission import accept, accepted_response, once
from tandem.backplane.topology import BULK_QUEUE_OF_PRIORITY, QUEUE_OF_PRIORITY
from tandem.backplane.uploaded_job import job_of
from tandem.schemas.batch import BatchRequest
from tandem.schemas.prediction import Accepted, AsyncRequest, LaterRequest

app = create_app("Tandem: predict later", "Accept predictions and answer at once.")
handler = mangum_handler(app)


ACCEPTS: dict[str, Any] = {"status_code": 202, "response_model": Accepted, "tags": ["predict"]}
MANY_ROWS = json_body(BatchRequest, NDJSON, CSV)
ALIAS_SELECTION = {"parameters": [one for one in SELECTION["parameters"] if one["name"] == "alias"]}


@direct_route(app, "/predict/async/", openapi_extra=json_body(AsyncRequest) | SELECTION, **ACCEPTS)
async def predict_later(request: Request) -> Response:
    """Accept one prediction, from features in the body or from those stored for a match."""
    wired = edge()
    body, value = await read_json(request, wired.settings.max_body_bytes)
    card = await served_model(wired, selection_of(request))
    asked = read_request(AsyncRequest, value, card)
    _refuse_callback(asked)
    features = asked.features
    if features is None:
        assert asked.match_id is not None  # noqa: S101  AsyncRequest has one of the two
        features = await stored_features(wired, asked.match_id, card)
    wanted = PredictionRequest(card, features, asked.match_id)
    expires_in = asked.expires_in or wired.settings.default_expires_seconds
    owner = wired.caller(request.scope)

    async def submit(task_id: str) -> Response:
        message = wanted.accepted(wired, task_id, queue=QUEUE_OF_PRIORITY[asked.priority])
        await accept(wired, message, expires_in, owner)
        return accepted_response(task_id)

    return await once(wired, request, body, submit)


@direct_route(app, "/predict/batch/", openapi_extra=MANY_ROWS | SELECTION, **ACCEPTS)
async def predict_rows(request: Request) -> Response:
    """Accept many rows as one job. Its result has a prediction for each row, or null and the row's errors."""
    return await _accept_rows(request, selection_of(request))


@route(app, "POST", "/models/{name}/batch", openapi_extra=MANY_ROWS | ALIAS_SELECTION, **ACCEPTS)
async def predict_rows_of_model(request: Request, name: str) -> Response:
    """Accept many rows for this model as one job, like `POST /predict/batch/`."""
    return await _accept_rows(request, selection_of(request)._replace(model_name=name))


async def _accept_rows(request: Request, selection: Selection) -> Response:
    wired = edge()
    media_type, body = await read_text(request, wired.settings.max_body_bytes, NDJSON, CSV)
    value = parse_strict(body) if media_type == JSON else None
    card = await served_model(wired, selection)
    # A body of rows has no room for more than rows.
    asked = read_request(BatchRequest, value, card) if media_type == JSON else LaterRequest()
    _refuse_callback(asked)
    source = asked if isinstance(asked, BatchRequest) else Upload(body, media_type)
    queue = BULK_QUEUE_OF_PRIORITY[asked.priority]
    expires_in = asked.expires_in or wired.settings.default_expires_seconds
    owner = wired.caller(request.scope)

    async def submit(task_id: str) -> Response:
        # Only now: a repetition has its answer though the upload be gone since.
        async with job_of(wired, source, card, owner) as job:
            await accept_job(wired, job, task_id, queue=queue, expires_in_seconds=expires_in, owner=owner)
        return accepted_response(task_id)

    return await once(wired, request, body, submit)


def _refuse_callback(asked: LaterRequest) -> None:
    """Better refused than accepted and never called."""
    if asked.callback_url is not None:
        raise InvalidRequest([{"loc": ["callback_url"], "msg": "is not offered by this deployment"}])


add_health_routes(app)
collect_again()
