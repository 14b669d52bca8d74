"""AWS on a port of this machine: what boto3 asks is answered over real HTTP by a server in this process."""

from __future__ import annotations

import io
import logging
from typing import TYPE_CHECKING

import httpx
import pytest
from moto.server import ThreadedMotoServer

from local.ports import free_port
from tandem.backplane.logs import LOGGER, JsonFormatter

if TYPE_CHECKING:
    from collections.abc import Iterator

REGION = "eu-central-1"


class Aws:
    """The server, which can go away and come back."""

    def __init__(self) -> None:
        self.port = free_port()
        self._server: ThreadedMotoServer | None = None

    @property
    def url(self) -> str:
        """What AWS_ENDPOINT_URL names."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def variables(self) -> dict[str, str]:
        """The environment of whoever is to ask it."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }

    def start(self) -> None:
        """Answer on the port, if it does not yet; what it held before is still there."""
        if self._server is not None:
            return
        self._server = ThreadedMotoServer("127.0.0.1", self.port, verbose=False)
        self._server.start()

    def stop(self) -> None:
        """Be away."""
        if self._server is not None:
            self._server.stop()
            self._server = None

    def deny(self) -> None:
        """Let IAM decide from now on; nobody here has been allowed anything."""
        self._tell("reset-auth", b"0")

    def reset(self) -> None:
        """Forget everything, and let everybody do everything again."""
        self._tell("reset-auth", b"inf")
        self._tell("reset", b"")

    def _tell(self, what: str, body: bytes) -> None:
        answer = httpx.post(f"{self.url}/moto-api/{what}", content=body, timeout=10)
        assert answer.status_code == 200, answer.text


@pytest.fixture(scope="session")
def aws_server() -> Iterator[Aws]:
    """The server of the session."""
    server = Aws()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def aws(aws_server: Aws, monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    """AWS with nothing in it, for this process; afterwards it is back and empty, whatever was done to it."""
    for name, value in aws_server.variables.items():
        monkeypatch.setenv(name, value)
    yield aws_server
    aws_server.start()
    aws_server.reset()


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """What is logged during the test, as it is written; a stream, for records may no longer reach caplog."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    logger = logging.getLogger(LOGGER)
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield stream
    logger.removeHandler(handler)
    logger.setLevel(level)
