"""What goes through the bucket comes back as it was announced, to whose it is and to nobody else."""

from __future__ import annotations

import hashlib
import secrets
import socket
import threading
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import boto3
import httpx
import pytest

from tandem.backplane.aws import aws_client
from tandem.backplane.claim_check import MAX_BYTES, OFFER_SECONDS, USE_SECONDS, ClaimCheck
from tandem.backplane.errors import (
    InvalidRequest,
    NotFound,
    PayloadsUnavailable,
    PayloadTooLarge,
    UploadExpired,
    UploadNotFound,
)
from tandem.schemas.task import KeptResult
from tandem.schemas.upload import UploadAnswer, UploadRequest
from tests.integration.aws.conftest import REGION, Aws

if TYPE_CHECKING:
    from collections.abc import Iterator

BUCKET = "tandem-payloads"
ROWS = b'{"home_elo": 1650.0}\n' * 400_000
"""More than goes inline."""


@pytest.fixture
def bucket(aws: Aws) -> Iterator[Any]:
    """A client of S3, in which there is the bucket."""
    with closing(aws_client("s3")) as client:
        client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        yield client


@pytest.fixture
def claims(bucket: Any) -> Iterator[ClaimCheck]:
    """The claim check of that bucket."""
    with closing(ClaimCheck(BUCKET)) as made:
        yield made


def announced(body: bytes, **members: Any) -> UploadRequest:
    """The announcement of this body."""
    return UploadRequest(
        content_length=len(body),
        sha256=hashlib.sha256(body).hexdigest(),
        content_type="application/x-ndjson",
        **members,
    )


def send(offer: UploadAnswer, body: bytes) -> None:
    """Send a body as the answer says."""
    answer = httpx.request(offer.method, offer.url, headers=offer.headers, content=body, timeout=30)
    assert answer.status_code == 200, answer.text


def put(bucket: Any, upload_id: str, body: bytes, **members: Any) -> None:
    """What nobody can do from outside: put something else where alice's upload belongs."""
    bucket.put_object(Bucket=BUCKET, Key=f"inputs/alice/{upload_id}", Body=body, **members)


@pytest.mark.parametrize("owner", ["alice", ""])
def test_an_upload_comes_back_as_it_was_sent(claims: ClaimCheck, owner: str) -> None:
    """With its media type, as often as it is asked for; an anonymous caller has uploads too."""
    offer = claims.offer(announced(ROWS), owner)
    send(offer, ROWS)
    for _ in range(2):
        found = claims.read(offer.upload_id, owner)
        assert found.body == ROWS
        assert found.content_type == "application/x-ndjson"


def test_the_address_takes_what_was_announced_and_nothing_else(claims: ClaimCheck) -> None:
    """Length, media type and digest are among what is signed, and it is good for a while only."""
    offer = claims.offer(announced(b"rows"), "alice")
    query = parse_qs(urlsplit(offer.url).query)
    signed = set(query["X-Amz-SignedHeaders"][0].split(";"))
    assert {"content-length", "content-type", "x-amz-checksum-sha256", "host"} <= signed
    assert {name.lower() for name in offer.headers} == signed - {"host"}
    assert query["X-Amz-Expires"] == [str(OFFER_SECONDS)]
    assert query["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
    assert urlsplit(offer.url).path == f"/{BUCKET}/inputs/alice/{offer.upload_id}"


def test_on_aws_the_address_is_the_regions_own(monkeypatch: pytest.MonkeyPatch, aws: Aws) -> None:
    """The global one redirects for a new bucket, and a signature does not stand that."""
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    with closing(ClaimCheck(BUCKET)) as claims:
        url = claims.offer(announced(b"rows"), "alice").url
    assert url.startswith(f"https://{BUCKET}.s3.{REGION}.amazonaws.com/inputs/alice/")


def test_no_upload_is_over_the_limit(claims: ClaimCheck) -> None:
    """It is refused before anything is sent."""
    fits = UploadRequest(content_length=MAX_BYTES, sha256="0" * 64)
    assert claims.offer(fits, "alice").max_bytes == MAX_BYTES
    with pytest.raises(PayloadTooLarge, match=str(MAX_BYTES)):
        claims.offer(UploadRequest(content_length=MAX_BYTES + 1, sha256="0" * 64), "alice")


@pytest.mark.parametrize("other", ["bob", "", "alic", "alice/x"])
def test_anothers_upload_is_like_none(claims: ClaimCheck, other: str) -> None:
    """Also for whoever knows its id."""
    offer = claims.offer(announced(b"rows"), "alice")
    send(offer, b"rows")
    with pytest.raises(UploadNotFound) as theirs:
        claims.read(offer.upload_id, other)
    with pytest.raises(UploadNotFound) as none:
        claims.read(claims.offer(announced(b"rows"), other).upload_id, other)
    assert str(theirs.value) == str(none.value)


@pytest.mark.parametrize(
    "upload_id",
    [
        "",
        "x",
        "../alice/x",
        f"1777125600-4-{'0' * 64}-{'0' * 16}/..",
        f"1777125600-0-{'0' * 64}-{'0' * 16}",
        f"1777125600-4-{'0' * 64}-{'0' * 16}\n",
        f"9999999999-4-{'0' * 64}-{'0' * 16}",
    ],
)
def test_an_id_that_was_made_up_names_nothing(claims: ClaimCheck, upload_id: str) -> None:
    """Whatever is in it."""
    with pytest.raises(UploadNotFound):
        claims.read(upload_id, "alice")


def test_an_upload_that_is_over_its_time_is_said_to_be(
    claims: ClaimCheck, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the bucket throws it away, so that the answer is not a matter of chance; and to whoever asks."""
    offer = claims.offer(announced(b"rows"), "alice")
    send(offer, b"rows")
    later = time.time() + USE_SECONDS
    monkeypatch.setattr(time, "time", lambda: later)
    for caller in ("alice", "bob"):
        with pytest.raises(UploadExpired, match="24 hours"):
            claims.read(offer.upload_id, caller)


def test_what_has_not_been_sent_yet_is_asked_for(claims: ClaimCheck) -> None:
    """It may come yet, and is then there."""
    offer = claims.offer(announced(b"rows"), "alice")
    with pytest.raises(UploadNotFound, match="Send it first"):
        claims.read(offer.upload_id, "alice")
    send(offer, b"rows")
    assert claims.read(offer.upload_id, "alice").body == b"rows"


@pytest.mark.parametrize("body", [b"", b"row", b"rowz", b"rows and more", ROWS])
def test_what_is_not_what_was_announced_is_refused(claims: ClaimCheck, bucket: Any, body: bytes) -> None:
    """Shorter, longer or other: the caller is told, and not what was found."""
    offer = claims.offer(announced(b"rows"), "alice")
    put(bucket, offer.upload_id, body)
    with pytest.raises(InvalidRequest) as caught:
        claims.read(offer.upload_id, "alice")
    assert caught.value.errors == [{"loc": ["upload"], "msg": "is not what was announced"}]


def test_a_digest_that_s3_knows_to_be_another_is_refused(claims: ClaimCheck, bucket: Any) -> None:
    """The client library holds what it reads against what S3 noted; that is no failure of ours either."""
    offer = claims.offer(announced(b"rows"), "alice")
    send(offer, b"rowz")  # S3 itself would take it no more than this
    with pytest.raises(InvalidRequest):
        claims.read(offer.upload_id, "alice")


def test_a_result_is_fetched_from_its_address(claims: ClaimCheck) -> None:
    """Without credentials, for a while; put there twice it is one, and another of the task is beside it."""
    task_id = secrets.token_hex(8)
    first, again = (claims.keep_result(task_id, b'{"predictions": []}') for _ in range(2))
    other = claims.keep_result(task_id, b"{}")
    assert first == again != other
    link = claims.result_link(first)
    answer = httpx.get(link.url, timeout=10)
    assert answer.json() == {"predictions": []}
    assert answer.headers["content-type"] == "application/json"
    assert link.bytes == len(answer.content)
    assert parse_qs(urlsplit(link.url).query)["X-Amz-Expires"] == [str(OFFER_SECONDS)]
    assert timedelta(0) < datetime.fromisoformat(link.expires_at) - datetime.now(UTC)


def test_a_bucket_that_is_away_is_unavailable(claims: ClaimCheck, aws: Aws) -> None:
    """And served again when it is back; an address can be given all the while."""
    offer = claims.offer(announced(b"rows"), "alice")
    send(offer, b"rows")
    kept = claims.keep_result("t", b"{}")
    aws.stop()
    with pytest.raises(PayloadsUnavailable):
        claims.read(offer.upload_id, "alice")
    with pytest.raises(PayloadsUnavailable):
        claims.keep_result("t", b"{}")
    assert claims.result_link(kept).url
    aws.start()
    assert claims.read(offer.upload_id, "alice").body == b"rows"


def test_a_bucket_that_refuses_us_is_unavailable(claims: ClaimCheck, aws: Aws) -> None:
    """Ours to put right, and not the caller's fault."""
    offer = claims.offer(announced(b"rows"), "alice")
    send(offer, b"rows")
    aws.deny()
    with pytest.raises(PayloadsUnavailable):
        claims.read(offer.upload_id, "alice")


def test_a_bucket_that_breaks_off_half_way_is_unavailable(
    claims: ClaimCheck, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What came is not taken for what was announced, nor for another upload."""
    offer = claims.offer(announced(ROWS), "alice")
    with socket.create_server(("127.0.0.1", 0)) as server:
        half = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(ROWS) + ROWS[:100_000]

        def answer() -> None:
            with server.accept()[0] as connection:
                connection.recv(10_000)
                connection.sendall(half)

        threading.Thread(target=answer, daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.getsockname()[1]}")
        with closing(ClaimCheck(BUCKET)) as broken, pytest.raises(PayloadsUnavailable):
            broken.read(offer.upload_id, "alice")


def test_credentials_that_are_missing_make_it_unavailable(
    claims: ClaimCheck, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An address cannot be signed."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    with pytest.raises(PayloadsUnavailable):
        claims.offer(announced(b"rows"), "alice")


def test_without_a_bucket_there_are_no_uploads() -> None:
    """Said of the deployment, and not of an upload."""
    claims = ClaimCheck("")
    with pytest.raises(NotFound, match="takes no uploads"):
        claims.offer(announced(b"rows"), "alice")
    with pytest.raises(NotFound, match="takes no uploads"):
        claims.read("x", "alice")
    with pytest.raises(PayloadsUnavailable):
        claims.result_link(KeptResult(key="results/t/0", bytes=2))
    claims.close()
