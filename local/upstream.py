"""A function that runs elsewhere, as an ASGI application: what is asked here is asked there."""

import asyncio
from collections.abc import Iterable

import httpx
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from tandem.backplane.callers import CALLER_HEADER
from tandem.backplane.disconnects import unless_gone
from tandem.backplane.errors import Unavailable
from tandem.backplane.problems import error_response
from tandem.backplane.request_boundary import RequestBoundary

ANSWER_MARGIN_SECONDS = 10.0
"""On top of the deadline of a waiting caller, so that the function answers 504 and not the gateway 503."""
# Below the 5 s after which uvicorn closes an idle connection, so that none is used while it closes.
LIMITS = httpx.Limits(max_connections=200, max_keepalive_connections=50, keepalive_expiry=2.0)
HOP_BY_HOP = {
    b"connection",
    b"keep-alive",
    b"proxy-authenticate",
    b"proxy-authorization",
    b"te",
    b"trailer",
    b"transfer-encoding",
    b"upgrade",
}
Headers = Iterable[tuple[bytes, bytes]]


class Upstream:
    """The function `name` at `url`, whose callers wait up to `wait_seconds`; owns its connections."""

    def __init__(self, name: str, url: str, *, wait_seconds: float, max_body_bytes: int) -> None:
        self._name = name
        self._url = httpx.URL(url)
        self._max_body_bytes = max_body_bytes
        timeout = httpx.Timeout(10.0, connect=2.0, read=wait_seconds + ANSWER_MARGIN_SECONDS)
        # What the environment says about proxies is for the outside world.
        self._client = httpx.AsyncClient(timeout=timeout, limits=LIMITS, trust_env=False)

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on, and the answer back; 503 when there is none."""
        target = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
        try:
            request = httpx.Request(
                scope["method"],
                self._url.copy_with(raw_path=target),
                headers=[*_passed_on(scope["headers"], without=frozenset({b"content-length"}))],
                content=await self._body(receive),
            )
            answer = await self._sent(request, receive)
            try:
                content = b"".join([part async for part in answer.aiter_raw()])
            finally:
                await answer.aclose()
        except ClientDisconnect:
            return
        except httpx.TransportError:
            await RequestBoundary(self._unreachable)(scope, receive, send)
            return
        headers = list(_passed_on(answer.headers.raw))
        await send({"type": "http.response.start", "status": answer.status_code, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    async def _sent(self, request: httpx.Request, receive: Receive) -> httpx.Response:
        """Send the request for as long as its caller is there; raises ClientDisconnect where it leaves."""
        sending = asyncio.ensure_future(self._client.send(request, stream=True))
        try:
            return await unless_gone(receive, sending)
        finally:
            if not sending.done():
                sending.cancel()  # which closes the connection, and so the function knows it too
                await asyncio.wait([sending])

    async def _body(self, receive: Receive) -> bytes:
        """The body, cut one byte over the limit: the function refuses it then as it would the whole."""
        body = bytearray()
        more = True
        while more and len(body) <= self._max_body_bytes:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            body += message.get("body", b"")
            more = message.get("more_body", False)
        return bytes(body[: self._max_body_bytes + 1])

    async def _unreachable(self, scope: Scope, receive: Receive, send: Send) -> None:
        error = Unavailable(f"The function {self._name} did not answer.")
        await error_response(scope, error)(scope, receive, send)


def _passed_on(headers: Headers, without: frozenset[bytes] = frozenset()) -> Headers:
    """The headers that are meant for the far end (RFC 9110, section 7.6.1)."""
    pairs = [(name.lower(), value) for name, value in headers]
    named = {
        part.strip().lower() for name, value in pairs if name == b"connection" for part in value.split(b",")
    }
    # Whoever calls does not get to drop what the gateway says of them.
    dropped = (HOP_BY_HOP | named | without) - {CALLER_HEADER}
    return [(name, value) for name, value in pairs if name not in dropped]
