"""A body is read as far as its limit and no further, and taken as JSON under the contract's media types."""

import asyncio
from collections.abc import Iterable

import pytest
from starlette.requests import Request
from starlette.types import Message

from tandem.backplane.body import read_body, read_json
from tandem.backplane.errors import InvalidJson, PayloadTooLarge, UnsupportedMediaType

LIMIT = 100


class Sender:
    """A caller that sends chunks and counts how many were taken."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self.chunks = list(chunks)
        self.taken = 0

    async def __call__(self) -> Message:
        """Receive, as ASGI has it."""
        chunk = self.chunks[self.taken]
        self.taken += 1
        return {"type": "http.request", "body": chunk, "more_body": self.taken < len(self.chunks)}


def request(sender: Sender, headers: dict[str, str] | None = None) -> Request:
    """Make a POST whose body comes from `sender`."""
    raw = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    return Request({"type": "http", "method": "POST", "headers": raw}, sender)


def test_a_chunked_body_over_the_limit_is_not_read_to_its_end() -> None:
    """Whoever announces no length is refused at the first chunk that is too much."""
    sender = Sender([b"x" * 60] * 1_000)
    with pytest.raises(PayloadTooLarge, match="/uploads"):
        asyncio.run(read_body(request(sender), LIMIT))
    assert sender.taken == 2


@pytest.mark.parametrize("length", ["101", "9" * 400])
def test_a_body_announced_as_too_large_is_not_read_at_all(length: str) -> None:
    """Content-Length is believed where it condemns."""
    sender = Sender([b"x"])
    with pytest.raises(PayloadTooLarge, match="/uploads"):
        asyncio.run(read_body(request(sender, {"content-length": length}), LIMIT))
    assert sender.taken == 0


@pytest.mark.parametrize("length", ["5", "-5", "x", "²"])
def test_a_length_that_is_not_true_does_not_help(length: str) -> None:
    """The bytes that come are what counts."""
    with pytest.raises(PayloadTooLarge):
        asyncio.run(read_body(request(Sender([b"x" * 101]), {"content-length": length}), LIMIT))


@pytest.mark.parametrize("chunks", [[b"x" * 100], [b"x" * 50, b"", b"x" * 50], [b""]])
def test_a_body_within_the_limit_is_read_whole(chunks: list[bytes]) -> None:
    """However it was cut."""
    assert asyncio.run(read_body(request(Sender(chunks)), LIMIT)) == b"".join(chunks)


@pytest.mark.parametrize(
    "media_type",
    [
        None,
        "application/json",
        "Application/JSON; charset=UTF-8",
        'application/json;charset="utf-8"; profile=x',
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
    ],
)
def test_a_json_object_is_taken_under_json_nothing_or_a_form(media_type: str | None) -> None:
    """`curl -d` names a form; the object in the body speaks for itself."""
    headers = {} if media_type is None else {"content-type": media_type}
    assert asyncio.run(read_json(request(Sender([b' {"a": 1}']), headers), LIMIT)) == (b' {"a": 1}', {"a": 1})


@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        ("text/plain", b"{}"),
        ("application/xml", b"<a/>"),
        ("application/json; charset=latin-1", b"{}"),
        ("application/x-www-form-urlencoded", b"a=1"),
        ("application/x-www-form-urlencoded", b"[1]"),
        ("multipart/form-data; boundary=x", b"--x"),
        ("text/plain, application/json", b"{}"),
    ],
)
def test_any_other_media_type_is_415(media_type: str, body: bytes) -> None:
    """Also a form that is one."""
    with pytest.raises(UnsupportedMediaType):
        asyncio.run(read_json(request(Sender([body]), {"content-type": media_type}), LIMIT))


def test_a_compressed_body_is_415() -> None:
    """Nothing is unpacked: a small body stays small."""
    with pytest.raises(UnsupportedMediaType):
        asyncio.run(read_json(request(Sender([b"{}"]), {"content-encoding": "gzip"}), LIMIT))


def test_a_body_without_a_media_type_that_is_no_json_is_400() -> None:
    """A missing media type means JSON."""
    with pytest.raises(InvalidJson):
        asyncio.run(read_json(request(Sender([b"hello"])), LIMIT))
