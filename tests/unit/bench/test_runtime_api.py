"""The Runtime API hands out its one event and keeps what comes back."""

from __future__ import annotations

import http.client

import pytest

from bench.runtime_api import REQUEST_ID, RuntimeApi

NEXT = "/2018-06-01/runtime/invocation/next"
RESPONSE = f"/2018-06-01/runtime/invocation/{REQUEST_ID}/response"


def test_one_event_is_handed_out_and_its_answer_is_told() -> None:
    """Whoever asks for a second one waits until the server ends, as a frozen function does."""
    api = RuntimeApi(b'{"routeKey": "GET /"}')
    with api.serving():
        connection = http.client.HTTPConnection(api.address, timeout=10)
        connection.request("GET", NEXT)
        given = connection.getresponse()
        assert given.headers["Lambda-Runtime-Aws-Request-Id"] == REQUEST_ID
        assert int(given.headers["Lambda-Runtime-Deadline-Ms"]) > 0
        assert given.read() == b'{"routeKey": "GET /"}'
        connection.request("POST", RESPONSE, b'{"statusCode": 200}')
        assert connection.getresponse().read() == b""
        told = api.told.get(timeout=10)
        assert (told.path, told.body) == (RESPONSE, b'{"statusCode": 200}')
        connection.request("GET", NEXT)
    with pytest.raises(http.client.RemoteDisconnected):
        connection.getresponse()
    connection.close()
