"""A named secret: read, kept a while, taken over when it is rotated, and never shown."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tandem.backplane import secrets
from tandem.backplane.aws import aws_client
from tandem.backplane.errors import SecretUnavailable
from tandem.backplane.secrets import FRESH_SECONDS, RETRY_SECONDS, STALE_SECONDS, Secret

if TYPE_CHECKING:
    import io
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integration.aws.conftest import Aws

NAME = "tandem/test"


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        """The time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still."""
    return Clock()


def put(text: str) -> None:
    """Make the secret, or give it a new value."""
    with closing(aws_client("secretsmanager")) as client:
        if client.list_secrets()["SecretList"]:
            client.put_secret_value(SecretId=NAME, SecretString=text)
        else:
            client.create_secret(Name=NAME, SecretString=text)


def number(text: str) -> int:
    """A reading that not every text stands."""
    return int(text)


def test_a_rotated_secret_is_taken_over(aws: Aws, clock: Clock) -> None:
    """Until then nobody is asked, and the old value serves."""
    put("1")
    secret = Secret(NAME, number, clock)
    assert secret.at_hand() is None
    assert secret.get() == secret.at_hand() == 1
    put("2")
    clock.now += FRESH_SECONDS - 1
    assert secret.get() == secret.at_hand() == 1
    clock.now += 1
    assert secret.at_hand() is None
    assert secret.get() == secret.at_hand() == 2


def test_an_old_value_serves_while_the_server_is_away_but_not_for_ever(aws: Aws, clock: Clock) -> None:
    """And when it is back the present value is read."""
    put("1")
    secret = Secret(NAME, number, clock)
    read_at = clock.now
    assert secret.get() == 1
    aws.stop()
    clock.now = read_at + STALE_SECONDS - 1
    assert secret.get() == 1
    assert secret.at_hand() == 1, "callers would wait for the absent server one after the other"
    clock.now = read_at + STALE_SECONDS + RETRY_SECONDS
    with pytest.raises(SecretUnavailable):
        secret.get()
    aws.start()
    put("2")
    with pytest.raises(SecretUnavailable):
        secret.get()
    clock.now += RETRY_SECONDS
    assert secret.get() == 2


def test_a_secret_that_was_never_there_is_unavailable(aws: Aws, clock: Clock) -> None:
    """Whether the server is there or not; and once it is there it is read."""
    secret = Secret(NAME, number, clock)
    with pytest.raises(SecretUnavailable):
        secret.get()
    aws.stop()
    clock.now += RETRY_SECONDS
    with pytest.raises(SecretUnavailable):
        secret.get()
    aws.start()
    put("1")
    clock.now += RETRY_SECONDS
    assert secret.get() == 1


@pytest.fixture
def black_hole(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Secrets Manager takes a connection and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(30)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "test")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{listening.getsockname()[1]}")
        yield listening


def test_nobody_waits_for_a_server_that_hangs(
    black_hole: socket.socket, monkeypatch: pytest.MonkeyPatch, logged: io.StringIO
) -> None:
    """Callers are refused while the client still waits for its answer; and soon nobody asks again.

    The limit is shorter here than it is, so that the client's own limits cannot be what ends the wait.
    """
    aws_client("secretsmanager").close()  # the import of boto3 shall not be what takes so long
    monkeypatch.setattr(secrets, "LONGEST_SECONDS", 1.0)
    secret = Secret(NAME, number)
    with ThreadPoolExecutor(3) as pool:
        for refused in [pool.submit(secret.get) for _ in range(3)]:
            with pytest.raises(SecretUnavailable):
                refused.result(30)
    assert logged.getvalue().count("no answer in time") == 1, "the others waited for the first"
    connection, _ = black_hole.accept()
    with connection:
        connection.setblocking(False)
        assert connection.recv(65_536)
        with pytest.raises(BlockingIOError):
            connection.recv(1)  # not the end: the client has not given up


def test_where_access_is_denied_the_old_value_goes_at_once(
    aws: Aws, clock: Clock, logged: io.StringIO
) -> None:
    """Somebody has taken it away; the log says why, and not what it was."""
    put("31415926")
    secret = Secret(NAME, number, clock)
    assert secret.get() == 31415926
    aws.deny()
    clock.now += FRESH_SECONDS
    with pytest.raises(SecretUnavailable) as caught:
        secret.get()
    assert NAME in logged.getvalue()
    assert "(403)" in logged.getvalue()
    assert "31415926" not in f"{logged.getvalue()}{caught.value!r}{secret!r}{vars(caught.value)}"


def test_a_deleted_secret_goes_at_once(aws: Aws, clock: Clock) -> None:
    """Also while it could still be restored."""
    put("1")
    secret = Secret(NAME, number, clock)
    assert secret.get() == 1
    with closing(aws_client("secretsmanager")) as client:
        client.delete_secret(SecretId=NAME)
    clock.now += FRESH_SECONDS
    with pytest.raises(SecretUnavailable):
        secret.get()


def test_what_cannot_be_read_is_no_rotation(aws: Aws, clock: Clock, logged: io.StringIO) -> None:
    """A slip of the hand leaves the old value serving for a while, and its text is not logged."""
    put("1")
    secret = Secret(NAME, number, clock)
    assert secret.get() == 1
    put("hunter2")
    clock.now += FRESH_SECONDS
    assert secret.get() == 1
    assert "ValueError" in logged.getvalue()
    assert "hunter2" not in logged.getvalue()


def test_a_secret_of_bytes_cannot_be_read(aws: Aws, clock: Clock) -> None:
    """Secrets Manager holds those too."""
    with closing(aws_client("secretsmanager")) as client:
        client.create_secret(Name=NAME, SecretBinary=b"1")
    with pytest.raises(SecretUnavailable):
        Secret(NAME, number, clock).get()


def test_a_file_is_read_anew(tmp_path: Path, clock: Clock) -> None:
    """As compose and Kubernetes mount one; one that is removed no longer counts."""
    path = tmp_path / "number"
    secret = Secret(f"file:{path}", number, clock)
    with pytest.raises(SecretUnavailable):
        secret.get()
    path.write_text("1\n")
    clock.now += RETRY_SECONDS
    assert secret.get() == 1
    path.write_text("2\n")
    clock.now += FRESH_SECONDS
    assert secret.get() == 2
    path.unlink()
    path.mkdir()
    clock.now += FRESH_SECONDS
    assert secret.get() == 2, "a file system that is at fault is not a secret taken away"
    path.rmdir()
    clock.now += RETRY_SECONDS
    with pytest.raises(SecretUnavailable):
        secret.get()


def test_a_variable_is_read(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    """And must be there."""
    secret = Secret("env:TANDEM_TEST_NUMBER", number, clock)
    with pytest.raises(SecretUnavailable):
        secret.get()
    monkeypatch.setenv("TANDEM_TEST_NUMBER", "1")
    clock.now += RETRY_SECONDS
    assert secret.get() == 1


def test_one_asks_and_the_others_do_not_wait(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    """A server that hangs keeps one caller; the others are served the old value meanwhile."""
    asked, answered = threading.Event(), threading.Event()

    def slow(text: str) -> int:
        asked.set()
        assert answered.wait(30)
        return int(text)

    monkeypatch.setenv("TANDEM_TEST_NUMBER", "1")
    secret = Secret("env:TANDEM_TEST_NUMBER", slow, clock)
    with ThreadPoolExecutor(2) as pool:
        try:
            first = pool.submit(secret.get)
            assert asked.wait(30)
            second = pool.submit(secret.get)  # there is no old value yet
            answered.set()
            assert (first.result(30), second.result(30)) == (1, 1)
            asked.clear()
            answered.clear()
            monkeypatch.setenv("TANDEM_TEST_NUMBER", "2")
            clock.now += FRESH_SECONDS
            asking = pool.submit(secret.get)
            assert asked.wait(30)
            assert secret.get() == 1
        finally:
            answered.set()
        assert asking.result(30) == secret.get() == 2
