"""Where to send a payload that is over the inline limit."""

from tandem.backplane.light_start import collect_again

import asyncio

from fastapi import Request
from pydantic import ValidationError

from tandem.backplane.body import read_json
from tandem.backplane.edge import edge
from tandem.backplane.errors import InvalidRequest
from tandem.backplane.field_errors import field_errors_of
from tandem.backplane.health import add_health_routes
from tandem.backplane.http import create_app, route
from tandem.backplane.lambda_handler import mangum_handler
from tandem.backplane.openapi import json_body
from tandem.schemas.upload import UploadAnswer, UploadRequest

app = create_app("Tandem: uploads", "Where large payloads go.")
handler = mangum_handler(app)

MAX_REQUEST_BYTES = 10_000


@route(
    app,
    "POST",
    "/uploads",
    response_model=UploadAnswer,
    openapi_extra=json_body(UploadRequest),
    tags=["uploads"],
)
async def offer_upload(request: Request) -> UploadAnswer:
    """Announce one payload, get the address to send it to; the caller's next request names it by its id."""
    wired = edge()
    _, value = await read_json(request, MAX_REQUEST_BYTES)
    try:
        asked = UploadRequest.model_validate(value)
    except ValidationError as invalid:
        found = invalid.errors(include_url=False, include_context=False, include_input=False)
        raise InvalidRequest([{**error} for error in field_errors_of(found)]) from None
    return await asyncio.to_thread(wired.claim_check.offer, asked, wired.caller(request.scope))


add_health_routes(app)
collect_again()
