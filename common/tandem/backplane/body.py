"""A request's body: how much of it is read, as what it is taken, and the strict JSON in it."""

from typing import Any

from starlette.requests import Request

from tandem.backplane.errors import PayloadTooLarge, UnsupportedMediaType
from tandem.backplane.strict_json import parse_strict

JSON = "application/json"
FORMS = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})
"""What `curl -d` and its like send when nobody has told them the media type."""
_UTF8 = frozenset({"utf-8", "utf8", "us-ascii"})
_WHITESPACE = b" \t\r\n"


async def read_body(request: Request, limit: int) -> bytes:
    """The body; raises PayloadTooLarge without reading further than `limit` bytes."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced[:20]) > limit:
        raise _too_large(limit)
    chunks = []
    length = 0
    async for chunk in request.stream():
        length += len(chunk)
        if length > limit:
            raise _too_large(limit)
        chunks.append(chunk)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


async def read_json(request: Request, limit: int) -> tuple[bytes, Any]:
    """The body and its JSON value; raises PayloadTooLarge, UnsupportedMediaType or InvalidJson.

    A missing media type means JSON; under a form's type a JSON object is taken all the same.
    """
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise UnsupportedMediaType("The body must not be compressed.")
    media_type = _media_type(request)
    body = await read_body(request, limit)
    if media_type in FORMS and not body.lstrip(_WHITESPACE).startswith(b"{"):
        raise UnsupportedMediaType(f"This route takes {JSON}, not a form.")
    return body, parse_strict(body)


def _media_type(request: Request) -> str:
    """The media type in lower case, JSON where there is none; raises UnsupportedMediaType for any other."""
    media_type, *parameters = request.headers.get("content-type", "").lower().split(";")
    media_type = media_type.strip() or JSON
    if media_type != JSON and media_type not in FORMS:
        raise UnsupportedMediaType(f"This route takes {JSON}.")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if media_type == JSON and name.strip() == "charset" and value.strip().strip('"') not in _UTF8:
            raise UnsupportedMediaType("JSON is UTF-8; this route takes no other charset.")
    return media_type


def _too_large(limit: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"The body may have {limit} bytes at most; POST /uploads takes larger payloads.")
