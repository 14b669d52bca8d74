"""The authorizer, asked as API Gateway asks it, with its keys in Secrets Manager."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from functions.authorizer import app as authorizer
from tandem.backplane.aws import aws_client
from tandem.backplane.callers import digest_of, new_key
from tandem.backplane.errors import SecretUnavailable
from tests.unit.infra.cloudformation import ROOT

if TYPE_CHECKING:
    import io
    from collections.abc import Iterator

    from tests.integration.aws.conftest import Aws

KEY, OLD = new_key(), new_key()
SECRET = json.dumps({digest_of(KEY): "alice", digest_of(OLD): {"caller": "bob", "disabled": True}})


@pytest.fixture
def keys(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The ARN of a secret with two keys; the authorizer knows it by that."""
    with closing(aws_client("secretsmanager")) as client:
        arn: str = client.create_secret(Name="tandem/keys", SecretString=SECRET)["ARN"]
    monkeypatch.setenv("API_KEYS_SECRET", arn)
    authorizer._keys.cache_clear()
    yield arn
    authorizer._keys.cache_clear()


def ask(key: str | None) -> dict[str, Any]:
    """What it says of a request with this key."""
    event: dict[str, Any] = json.loads((ROOT / "infra" / "events" / "authorizer.json").read_text())
    if key is None:
        del event["headers"]["x-api-key"]
    else:
        event["headers"]["x-api-key"] = key
        event["identitySource"] = [key]
    return authorizer.handler(event, None)


def test_a_key_passes_under_its_callers_name(keys: str) -> None:
    """Which the API then tells the function."""
    assert ask(KEY) == {"isAuthorized": True, "context": {"caller": "alice"}}


@pytest.mark.parametrize("key", [None, "", new_key(), OLD], ids=["none", "empty", "unknown", "disabled"])
def test_any_other_key_does_not_pass(keys: str, key: str | None, logged: io.StringIO) -> None:
    """The log tells a disabled key from an unknown one, and neither key."""
    assert ask(key) == {"isAuthorized": False}
    assert ("not-allowed" if key == OLD else "not-authenticated") in logged.getvalue()
    assert not key or key not in logged.getvalue()


def test_where_the_keys_cannot_be_read_nobody_passes(keys: str, aws: Aws) -> None:
    """It fails, which the API answers with 500 and Lambda counts as an error; also for a right key."""
    aws.deny()
    with pytest.raises(SecretUnavailable):
        ask(KEY)


def test_without_a_secrets_name_nobody_passes(keys: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A forgotten variable does not open the API; in Lambda the process ends before it is asked."""
    monkeypatch.delenv("API_KEYS_SECRET")
    with pytest.raises(SystemExit):
        ask(KEY)


def test_it_starts_without_what_the_other_functions_need() -> None:
    """It stands before every request: no HTTP framework, no library of the settings, and boto3 later."""
    program = "import json, sys; import functions.authorizer.app; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    imported = {module.partition(".")[0] for module in json.loads(done.stdout)}
    assert imported.isdisjoint({"fastapi", "pydantic", "redis", "kombu", "mangum", "boto3", "botocore"})
