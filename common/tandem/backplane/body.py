"""A request's body: how much of it is read, as what it is taken, and the strict JSON in it."""

from collections.abc import Sequence
from typing import Any

from starlette.requests import ClientDisconnect, Request

from tandem.backplane.errors import PayloadTooLarge, UnsupportedMediaType
from tandem.backplane.headers import header_of
from tandem.backplane.strict_json import parse_strict

JSON = "application/json"
FORMS = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})
"""What `curl -d` and its like send when nobody has told them the media type."""
_UTF8 = frozenset({"utf-8", "utf8", "us-ascii"})
_WHITESPACE = b" \t\r\n"


async def read_body(request: Request, limit: int) -> bytes:
    """The body; raises PayloadTooLarge without reading further than `limit` bytes, or ClientDisconnect."""
    announced = header_of(request.scope, b"content-length") or ""
    if announced.isdecimal() and int(announced[:20]) > limit:
        raise _too_large(limit)
    chunks = []
    length = 0
    more = True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk = message.get("body", b"")
        length += len(chunk)
        if length > limit:
            raise _too_large(limit)
        chunks.append(chunk)
        more = message.get("more_body", False)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


async def read_json(request: Request, limit: int) -> tuple[bytes, Any]:
    """The body and its JSON value; raises PayloadTooLarge, UnsupportedMediaType or InvalidJson.

    A missing media type means JSON; under a form's type a JSON object is taken all the same.
    """
    _, body = await read_text(request, limit)
    return body, parse_strict(body)


async def read_text(request: Request, limit: int, *others: str) -> tuple[str, bytes]:
    """The media type, JSON or one of `others`, and the body; raises PayloadTooLarge, UnsupportedMediaType."""
    encoding = header_of(request.scope, b"content-encoding")
    if encoding is not None and encoding.lower() != "identity":
        raise UnsupportedMediaType("The body must not be compressed.")
    content_type = header_of(request.scope, b"content-type")
    media_type = JSON if content_type in (None, JSON) else _media_type(content_type, others)
    body = await read_body(request, limit)
    if media_type not in FORMS:
        return media_type, body
    if not body.lstrip(_WHITESPACE).startswith(b"{"):
        raise UnsupportedMediaType(f"This route takes {JSON}, not a form.")
    return JSON, body


def _media_type(content_type: str, others: Sequence[str]) -> str:
    """The media type in lower case, JSON where there is none; raises UnsupportedMediaType for any other."""
    media_type, *parameters = content_type.lower().split(";")
    media_type = media_type.strip() or JSON
    if media_type != JSON and media_type not in FORMS and media_type not in others:
        raise UnsupportedMediaType(f"This route takes {', '.join((JSON, *others))}.")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        name, value = name.strip(), value.strip().strip('"')
        if media_type not in FORMS and name == "charset" and value not in _UTF8:
            raise UnsupportedMediaType("This route takes UTF-8 and no other charset.")
        if media_type == "text/csv" and name == "header" and value != "present":
            raise UnsupportedMediaType("This route takes CSV with a header row.")
    return media_type


def _too_large(limit: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"The body may have {limit} bytes at most; POST /uploads takes larger payloads.")
