"""POST /uploads, whichever way it is asked: the answer says all that sending takes."""

from __future__ import annotations

import hashlib
import json
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tandem.backplane.aws import aws_client
from tandem.backplane.claim_check import MAX_BYTES, OFFER_SECONDS, ClaimCheck
from tandem.backplane.errors import UploadNotFound
from tandem.backplane.settings import settings
from tests.integration.aws.conftest import REGION, Aws
from tests.integration.contract.calls import CALLER, Answer, through_asgi, through_events
from tests.integration.contract.deployment import assert_problem, named

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.contract.calls import Call

BUCKET = "tandem-payloads"
BODY = b'{"rows": []}'
ASKED = {"content_length": len(BODY), "sha256": hashlib.sha256(BODY).hexdigest()}


@pytest.fixture(params=[through_asgi, through_events], ids=["asgi", "event"])
def call(request: pytest.FixtureRequest, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Iterator[Call]:
    """The function with its bucket, and no broker or store: it has no use for either."""
    with closing(aws_client("s3")) as client:
        client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    monkeypatch.setenv("PAYLOAD_BUCKET", BUCKET)
    monkeypatch.setenv("BEHIND_GATEWAY", "true")
    settings.cache_clear()
    with request.param() as made:
        yield made
    settings.cache_clear()


def ask(call: Call, value: Any, path: str = "/uploads") -> Answer:
    """Announce as alice."""
    headers = {CALLER: "alice", "content-type": "application/json"}
    return call("POST", path, headers=headers, body=json.dumps(value).encode())


@pytest.mark.parametrize("path", ["/uploads", "/uploads/"])
def test_what_is_sent_as_the_answer_says_is_the_callers_upload(call: Call, path: str) -> None:
    """And nobody else's; it is told until when it can be sent."""
    answer = ask(call, ASKED, path)
    assert answer.status == 200, answer.body
    offer = answer.json()
    assert offer.keys() == {"upload_id", "url", "method", "headers", "expires_at", "max_bytes"}
    until = datetime.fromisoformat(offer["expires_at"]) - datetime.now(UTC)
    assert timedelta(0) < until <= timedelta(seconds=OFFER_SECONDS)
    assert offer["max_bytes"] == MAX_BYTES
    sent = httpx.request(offer["method"], offer["url"], headers=offer["headers"], content=BODY, timeout=10)
    assert sent.status_code == 200, sent.text
    with closing(ClaimCheck(BUCKET)) as claims:
        assert claims.read(offer["upload_id"], "alice").body == BODY
        with pytest.raises(UploadNotFound):
            claims.read(offer["upload_id"], "bob")


@pytest.mark.parametrize(
    ("value", "fields"),
    [
        ({}, {("content_length",), ("sha256",)}),
        ([], {()}),
        (ASKED | {"content_length": 0}, {("content_length",)}),
        (ASKED | {"content_length": "12"}, {("content_length",)}),
        (ASKED | {"content_length": 2**53}, {("content_length",)}),
        (ASKED | {"sha256": "0"}, {("sha256",)}),
        (ASKED | {"sha256": ASKED["sha256"].upper()}, {("sha256",)}),  # type: ignore[attr-defined]
        (ASKED | {"content_type": "text/html"}, {("content_type",)}),
        (ASKED | {"key": "../results/x"}, {("key",)}),
    ],
)
def test_an_announcement_that_does_not_fit_names_every_fault(
    call: Call, value: Any, fields: set[tuple[str, ...]]
) -> None:
    """422; nobody chooses where an upload goes."""
    assert named(assert_problem(ask(call, value), 422, "invalid-request")) == fields


def test_an_upload_over_the_limit_is_refused_before_it_is_sent(call: Call) -> None:
    """413, with the limit."""
    problem = assert_problem(ask(call, ASKED | {"content_length": MAX_BYTES + 1}), 413, "payload-too-large")
    assert str(MAX_BYTES) in problem["detail"]


def test_an_announcement_is_small(call: Call) -> None:
    """Whoever sends the payload itself here is refused without its being read."""
    assert_problem(ask(call, {"rows": ["x" * 100] * 1000}), 413, "payload-too-large")


def test_where_there_is_no_bucket_there_are_no_uploads(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """404 and not 503: to try again would not help."""
    monkeypatch.delenv("PAYLOAD_BUCKET")
    settings.cache_clear()
    problem = assert_problem(ask(call, ASKED), 404, "not-found")
    assert problem["detail"] == "This deployment takes no uploads."
