"""Payloads over the inline limit go through a bucket, and requests name them by a ticket (claim check).

An upload is announced with its length and digest, and both are signed into the address it is sent to: S3
takes nothing else there. Its id says what was announced and when, and is the end of the object's key, which
begins with its caller:

    inputs/<caller, _ for an anonymous one>/<seconds since the epoch>-<length>-<SHA-256>-<random>

So nothing has to be remembered. An id that was made up, or is another caller's, names an object that is not
there, and nobody but us can make one. What is read back is held against the id all the same. Results lie
under `results/<task id>/<SHA-256>`, so that whoever writes one again changes nothing. How long objects are
kept is the bucket's to say (infra/template.yaml).
"""

import base64
import hashlib
import logging
import re
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

from tandem.backplane.aws import aws_client
from tandem.backplane.callers import ANONYMOUS
from tandem.backplane.errors import (
    InvalidRequest,
    NotFound,
    PayloadsUnavailable,
    PayloadTooLarge,
    UploadExpired,
    UploadNotFound,
)
from tandem.schemas.problem import field_error
from tandem.schemas.task import KeptResult
from tandem.schemas.task_answer import ResultLink, rfc3339
from tandem.schemas.upload import UploadAnswer, UploadRequest

log = logging.getLogger("tandem.claim_check")

MAX_BYTES = 50_000_000
"""One payload, which whoever reads or writes it has in memory: 50,000 rows of a kilobyte each."""
OFFER_SECONDS = 900
"""How long an address is good for, to send or to fetch; less where the credentials behind it end before."""
USE_SECONDS = 86_400
"""How long after it was announced an upload can be named in a request."""
ANSWER_SECONDS = 1.8
"""How long S3 may take to begin, and between pieces: asked twice, a caller still has its 503 within 5 s."""
WRITE_ANSWER_SECONDS = 5.0
"""The same for a worker, whose caller does not wait."""
READ_SECONDS = 10.0
"""How long reading an upload may take once S3 has begun to answer."""
NOBODY = "_"
"""Stands for an anonymous caller; no caller has such a name."""

_PIECE_BYTES = 65_536
_NOT_THERE = "Nothing was uploaded under this id. Send it first, as the answer of POST /uploads says."
_ID = re.compile(r"([0-9]{10})-([1-9][0-9]{0,8})-([0-9a-f]{64})-[0-9a-f]{16}")


@dataclass(frozen=True)
class Upload:
    """What was uploaded."""

    body: bytes
    content_type: str


class ClaimCheck:
    """The bucket of large payloads; one without a name takes none. Shared by threads; the owner closes it.

    Methods wait for seconds at most. They raise NotFound where there is no bucket, and PayloadsUnavailable
    where it does not answer, or not to us.
    """

    def __init__(self, bucket: str, answer_seconds: float = ANSWER_SECONDS) -> None:
        self._bucket = bucket
        self._answer_seconds = answer_seconds
        self._lock = threading.Lock()
        self._client: Any = None

    def offer(self, asked: UploadRequest, owner: str) -> UploadAnswer:
        """An address for this upload of `owner`'s; raises PayloadTooLarge."""
        self._require_bucket()
        if asked.content_length > MAX_BYTES:
            raise PayloadTooLarge(f"An upload may have {MAX_BYTES} bytes at most.")
        now = int(time.time())
        upload_id = f"{now}-{asked.content_length}-{asked.sha256}-{secrets.token_hex(8)}"
        checksum = base64.b64encode(bytes.fromhex(asked.sha256)).decode()
        wanted = {
            "Bucket": self._bucket,
            "Key": _key(upload_id, owner),
            "ContentLength": asked.content_length,
            "ContentType": asked.content_type,
            "ChecksumSHA256": checksum,
        }
        with _s3_errors():
            url = self._s3().generate_presigned_url("put_object", Params=wanted, ExpiresIn=OFFER_SECONDS)
        headers = {
            "Content-Length": str(asked.content_length),
            "Content-Type": asked.content_type,
            "x-amz-checksum-sha256": checksum,
        }
        return UploadAnswer(
            upload_id=upload_id,
            url=url,
            headers=headers,
            expires_at=rfc3339((now + OFFER_SECONDS) * 1000),
            max_bytes=MAX_BYTES,
        )

    def read(self, upload_id: str, owner: str) -> Upload:
        """What `owner` uploaded under this id.

        Raises UploadNotFound, UploadExpired, or InvalidRequest where it is not what was announced.
        """
        from botocore.exceptions import ClientError, FlexibleChecksumError  # noqa: PLC0415  as late as boto3

        self._require_bucket()
        announced = _ID.fullmatch(upload_id)
        if announced is None:
            raise UploadNotFound(_NOT_THERE)
        if int(announced[1]) + USE_SECONDS <= time.time():
            raise UploadExpired(f"An upload can be named for {USE_SECONDS // 3600} hours; announce it again.")
        length = int(announced[2])
        with _s3_errors():
            try:
                found = self._s3().get_object(Bucket=self._bucket, Key=_key(upload_id, owner))
                # Not the stream as its own context manager, which gives the bare one without any check.
                with closing(found["Body"]) as stream:
                    # Nothing of what is of another length than announced.
                    body = _whole(stream) if found["ContentLength"] == length else b""
            except ClientError as error:
                if error.response["Error"]["Code"] == "NoSuchKey":
                    raise UploadNotFound(_NOT_THERE) from None
                raise
            except FlexibleChecksumError:
                body = b""  # against what S3 itself has noted; the digest below says the same
        if len(body) != length or hashlib.sha256(body).hexdigest() != announced[3]:
            raise InvalidRequest([{**field_error(("upload",), "is not what was announced")}])
        return Upload(body, found["ContentType"])

    def keep_result(self, task_id: str, body: bytes) -> KeptResult:
        """Put the JSON of a task's result where `result_link` shows it; once more is the same."""
        kept = KeptResult(key=f"results/{task_id}/{hashlib.sha256(body).hexdigest()}", bytes=len(body))
        with _s3_errors():
            self._s3().put_object(
                Bucket=self._bucket, Key=kept.key, Body=body, ContentType="application/json"
            )
        return kept

    def result_link(self, kept: KeptResult) -> ResultLink:
        """An address to fetch a result from, for whoever may read the task."""
        if not self._bucket:
            raise PayloadsUnavailable("This process has not been told of the bucket.")
        now = int(time.time())
        wanted = {"Bucket": self._bucket, "Key": kept.key}
        with _s3_errors():
            url = self._s3().generate_presigned_url("get_object", Params=wanted, ExpiresIn=OFFER_SECONDS)
        return ResultLink(url=url, expires_at=rfc3339((now + OFFER_SECONDS) * 1000), bytes=kept.bytes)

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None

    def _require_bucket(self) -> None:
        if not self._bucket:
            raise NotFound("This deployment takes no uploads.")

    def _s3(self) -> Any:
        with self._lock:
            if self._client is None:
                self._client = aws_client("s3", self._answer_seconds)
            return self._client


def _key(upload_id: str, owner: str) -> str:
    return f"inputs/{NOBODY if owner == ANONYMOUS else owner}/{upload_id}"


def _whole(stream: Any) -> bytes:
    """All of a body; each piece has the client's time limit, and all of them together have ours."""
    give_up_at = time.monotonic() + READ_SECONDS
    pieces = []
    for piece in stream.iter_chunks(_PIECE_BYTES):
        pieces.append(piece)
        if time.monotonic() > give_up_at:
            raise PayloadsUnavailable("The bucket answered too slowly.")
    return b"".join(pieces)


@contextmanager
def _s3_errors() -> Iterator[None]:
    """Turn whatever S3 or the way to it raises into PayloadsUnavailable."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415  as late as boto3

    try:
        yield
    except ClientError as error:
        # Denied, most of all; without the right to list, S3 says so of an object that is not there as well.
        log.exception("S3 refused (%s).", error.response["Error"]["Code"])
        raise PayloadsUnavailable from error
    except BotoCoreError as error:
        raise PayloadsUnavailable(f"The bucket did not answer ({type(error).__name__}).") from error
