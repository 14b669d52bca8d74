"""An answer is cut from the bytes that came, however they came."""

from __future__ import annotations

import pytest

from bench.http_connection import Answer, cut

WHOLE = b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 4\r\n\r\nbody"
CHUNKED = b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nbod\r\n1;x=y\r\ny\r\n0\r\n\r\n"


@pytest.mark.parametrize(("received", "status"), [(WHOLE, 200), (CHUNKED, 202)])
def test_an_answer_is_whole_only_at_its_last_byte(received: bytes, status: int) -> None:
    """With a length and in chunks; no shorter part of it is an answer."""
    assert cut(received) == Answer(status, b"body")
    assert [cut(received[:end]) for end in range(len(received))] == [None] * len(received)


def test_what_is_no_http_is_refused() -> None:
    """Another protocol's bytes are an error and no wait without end."""
    with pytest.raises(ValueError, match=r"no HTTP/1\.1 answer"):
        cut(b"+PONG\r\n\r\n")
