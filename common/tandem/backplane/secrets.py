"""What a named secret holds now. A setting names a secret and never holds one; this file alone looks it up.

    file:/run/secrets/api-keys    the text of a file
    env:API_KEYS                  an environment variable
    anything else                 name or ARN of a secret in AWS Secrets Manager

Whatever is read is kept for FRESH_SECONDS, so that a rotated secret is taken over within a minute. Where the
place it is read from is away, or holds what cannot be read, the old value serves on for STALE_SECONDS. Where
access is denied or the secret deleted, somebody has taken it away, and the old value goes at once.
"""

import logging
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Generic, TypeVar

from tandem.backplane.aws import aws_client
from tandem.backplane.errors import SecretUnavailable

log = logging.getLogger("tandem.secrets")

SECRET_NAME = r"file:.+|[A-Za-z0-9_/+=.@:-]+"  # noqa: S105  a pattern
"""What a setting may name; a value in its place, which is JSON, is none."""
FRESH_SECONDS = 60.0
STALE_SECONDS = 900.0
LONGEST_SECONDS = 4.0
"""How long a caller waits for Secrets Manager, whatever hangs: name server, connection, answer or retry."""
RETRY_SECONDS = 5.0
"""How long a failure is remembered: callers do not wait, one after the other, for what is away."""
MAX_BYTES = 65_536
"""What Secrets Manager takes at most."""

_WITHDRAWN = frozenset(
    {
        "403",  # where whoever refuses gives no reason
        "AccessDenied",
        "AccessDeniedException",
        "ExpiredTokenException",
        "InvalidRequestException",  # it is to be deleted
        "ResourceNotFoundException",
        "UnrecognizedClientException",
    }
)

Held = TypeVar("Held")


class Secret(Generic[Held]):
    """The secret `name`, as `read` understands its text; `read` raises ValueError for what it does not.

    Shared by threads. Neither the text nor what came of it is ever in a log, an error or a repr.
    """

    # By the wall clock, which goes on while Lambda freezes a process; the monotonic one need not.
    def __init__(
        self, name: str, read: Callable[[str], Held], clock: Callable[[], float] = time.time
    ) -> None:
        self._name = name
        self._read = read
        self._clock = clock
        self._lock = threading.Lock()
        self._held: Held | None = None
        self._read_at = 0.0
        self._try_at = 0.0

    def at_hand(self) -> Held | None:
        """What it holds, if that is known without asking anybody; never waits."""
        held, now = self._held, self._clock()
        return held if now < max(self._read_at + FRESH_SECONDS, self._try_at) else None

    def get(self) -> Held:
        """What it holds, asking if need be, for LONGEST_SECONDS at most; raises SecretUnavailable.

        One thread asks; the others are served the old value meanwhile, where there is one.
        """
        held = self._held
        if not self._lock.acquire(blocking=held is None) and held is not None:
            return held
        try:
            if self.at_hand() is None and self._clock() >= self._try_at:
                self._refresh()
            if self._held is None:
                raise SecretUnavailable
            return self._held
        finally:
            self._lock.release()

    def _refresh(self) -> None:
        now = self._clock()
        try:
            self._held = self._read(_text_of(self._name))
        except ValueError as error:
            self._refused(type(error).__name__, withdrawn=False)
        except _Unreadable as error:
            self._refused(error.reason, withdrawn=error.withdrawn)
        else:
            self._read_at, self._try_at = now, 0.0

    def _refused(self, reason: str, *, withdrawn: bool) -> None:
        now = self._clock()
        if withdrawn or now >= self._read_at + STALE_SECONDS:
            self._held = None
        self._try_at = now + RETRY_SECONDS
        kept = "nothing is held" if self._held is None else "the value from before is kept for now"
        log.error("The secret %s could not be read (%s); %s.", self._name, reason, kept)


class _Unreadable(Exception):
    """The secret could not be had; `reason` is safe to be logged."""

    def __init__(self, reason: str, *, withdrawn: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.withdrawn = withdrawn


def _text_of(name: str) -> str:
    kind, _, where = name.partition(":")
    if kind == "env":
        if where not in os.environ:
            raise _Unreadable("the variable is not set", withdrawn=True)
        return os.environ[where]
    return _of_file(where) if kind == "file" else _in_time(name)


def _of_file(path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            return file.read(MAX_BYTES).decode()
    except FileNotFoundError as error:
        raise _Unreadable("there is no such file", withdrawn=True) from error
    except OSError as error:
        raise _Unreadable(type(error).__name__) from error


def _in_time(name: str) -> str:
    # botocore's limits count for each address and each attempt, and none of them for the name server.
    asking = ThreadPoolExecutor(1, thread_name_prefix="tandem-secret")
    try:
        return asking.submit(_of_secrets_manager, name).result(LONGEST_SECONDS)
    except TimeoutError as error:
        raise _Unreadable("no answer in time") from error
    finally:
        asking.shutdown(wait=False)


def _of_secrets_manager(name: str) -> str:
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415  as late as boto3

    try:
        with closing(aws_client("secretsmanager")) as client:
            return str(client.get_secret_value(SecretId=name)["SecretString"])
    except ClientError as error:
        code = error.response["Error"]["Code"]
        raise _Unreadable(code, withdrawn=code in _WITHDRAWN) from error
    except KeyError as error:
        raise _Unreadable("it holds bytes and no text") from error
    except BotoCoreError as error:
        raise _Unreadable(type(error).__name__) from error
