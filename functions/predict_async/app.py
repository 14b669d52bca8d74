"""Accept one prediction and answer at once; task_status tells what becomes of it."""

from fastapi import Request
from starlette.responses import Response

from tandem.backplane.body import read_json
from tandem.backplane.edge import edge
from tandem.backplane.errors import InvalidRequest
from tandem.backplane.health import add_health_routes
from tandem.backplane.http import create_app, route
from tandem.backplane.lambda_handler import mangum_handler
from tandem.backplane.openapi import json_body
from tandem.backplane.parameters import SELECTION, selection_of
from tandem.backplane.prediction_request import (
    PredictionRequest,
    read_request,
    served_model,
    stored_features,
)
from tandem.backplane.submission import accept, accepted_response, once
from tandem.backplane.topology import QUEUE_OF_PRIORITY
from tandem.schemas.prediction import Accepted, AsyncRequest

app = create_app("Tandem: predict later", "Accept predictions and answer at once.")
handler = mangum_handler(app)


@route(
    app,
    "POST",
    "/predict/async/",
    status_code=202,
    response_model=Accepted,
    openapi_extra=json_body(AsyncRequest) | SELECTION,
    tags=["predict"],
)
async def predict_later(request: Request) -> Response:
    """Accept one prediction, from features in the body or from those stored for a match."""
    wired = edge()
    body, value = await read_json(request, wired.settings.max_body_bytes)
    card = await served_model(wired, selection_of(request))
    asked = read_request(AsyncRequest, value, card)
    if asked.callback_url is not None:
        # Better refused than accepted and never called.
        raise InvalidRequest([{"loc": ["callback_url"], "msg": "is not offered by this deployment"}])
    features = asked.features
    if features is None:
        assert asked.match_id is not None  # noqa: S101  AsyncRequest has one of the two
        features = await stored_features(wired, asked.match_id, card)
    wanted = PredictionRequest(card, features, asked.match_id)
    expires_in = asked.expires_in or wired.settings.default_expires_seconds

    async def submit(task_id: str) -> Response:
        await accept(
            wired, wanted.accepted(wired, task_id, queue=QUEUE_OF_PRIORITY[asked.priority]), expires_in
        )
        return accepted_response(task_id)

    return await once(wired, request, body, submit)


add_health_routes(app)
