"""A function that runs elsewhere answers through the gateway as if it ran in it."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import TYPE_CHECKING

import pytest
from starlette.testclient import TestClient

from local.gateway import Gateway
from local.ports import free_port
from local.upstream import Upstream
from tests.unit.local.served import in_a_thread
from tests.unit.local.standin_functions import apps, elsewhere

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import Receive, Scope, Send

LIMIT = 1000


def client_of(url: str, wait_seconds: float = 30) -> TestClient:
    """A client of a gateway that has its functions at `url`."""
    upstream = Upstream("predict_sync", url, wait_seconds=wait_seconds, max_body_bytes=LIMIT)
    return TestClient(Gateway(lambda: elsewhere(upstream)))


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The address of a served function."""
    with in_a_thread(apps()["predict_sync"]) as served:
        yield served


def test_an_answer_comes_back_whole(url: str) -> None:
    """Status, body, query, repeated headers and ids pass; what is between two hops stays between them."""
    with client_of(url) as client:
        answer = client.post(
            "/predict/?x=a%2Fb&y=",
            content=b"\x00body",
            headers={"x-request-id": "mine", "te": "trailers", "connection": "x-private", "x-private": "1"},
        )
        assert answer.status_code == 200
        assert answer.content == b"\x00body"
        assert answer.headers["x-query"] == "x=a%2Fb&y="
        assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]
        assert answer.headers.get_list("x-request-id") == ["mine"]
        assert answer.headers["x-seen"] == "[('x-request-id', 'mine')]"
        assert client.get("/predict/8").json()["match_id"] == 8
        assert client.put("/predict/8").headers["allow"] == "GET"
        assert client.get("/predict/eight").status_code == 422


def test_a_body_over_the_limit_is_passed_on_as_one_over_the_limit(url: str) -> None:
    """The gateway keeps no more than the function would read, and leaves the refusal to it."""
    with client_of(url) as client:
        assert len(client.post("/predict/", content=b"x" * LIMIT * 50).content) == LIMIT + 1


def test_a_function_that_is_not_there_is_a_503() -> None:
    """A problem with Retry-After, at once."""
    with client_of(f"http://127.0.0.1:{free_port()}") as client:
        answer = client.get("/predict/8")
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


def test_a_function_that_hangs_or_hangs_up_is_a_503() -> None:
    """The wait is bounded, and half an answer is none."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        with client_of(url, wait_seconds=-9.5) as client:  # half a second with the margin
            assert client.get("/predict/8").status_code == 503
        server.accept()[0].close()

        def hang_up() -> None:
            connection = server.accept()[0]
            connection.recv(1000)
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
            connection.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        with client_of(url) as client:
            assert client.get("/predict/8").status_code == 503
        thread.join(10)


def test_the_wait_of_a_caller_is_the_functions_to_end() -> None:
    """An answer that takes a while is waited for, and other requests pass meanwhile."""
    slow = asyncio.Event()

    async def function(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        if scope["path"] == "/predict/1":
            await asyncio.wait_for(slow.wait(), 20)
        else:
            slow.set()
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    with in_a_thread(function) as url, client_of(url) as client:
        results: list[int] = []
        waiting = threading.Thread(target=lambda: results.append(client.get("/predict/1").status_code))
        waiting.start()
        while not results:
            assert client.get("/predict/2").status_code == 204
            waiting.join(0.05)
        assert results == [204]
