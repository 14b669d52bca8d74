"""Payloads over the inline limit go through a bucket, and requests name them by a ticket (claim check).

An upload is announced with its length and digest, and both are signed into the address it is sent to: S3
takes nothing else there. Its id says what was announced and when, and is the end of the object's key, which
begins with its caller:

    inputs/<caller, _ for an anonymous one>/<seconds since the epoch>-<length>-<SHA-256>-<random>

So nothing has to be remembered. An id that was made up, or is another caller's, names an object that is not
there, and nobody but us can make one. What is read back is held against the id all the same. Results lie
under `results/<task id>`. How long objects are kept is the bucket's to say (infra/template.yaml).
"""

import base64
import hashlib
import logging
import re
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tandem.backplane.aws import aws_client
from tandem.backplane.callers import ANONYMOUS
from tandem.backplane.errors import (
    InvalidRequest,
    NotFound,
    PayloadsUnavailable,
    PayloadTooLarge,
    UploadNotFound,
)
from tandem.schemas.problem import field_error
from tandem.schemas.task_answer import rfc3339
from tandem.schemas.upload import UploadAnswer, UploadRequest

log = logging.getLogger("tandem.claim_check")

MAX_BYTES = 50_000_000
"""One upload, which whoever reads it has in memory: 50,000 rows of a kilobyte each."""
OFFER_SECONDS = 900
"""How long an address is good for, to send or to fetch; less where the credentials behind it end before."""
USE_SECONDS = 86_400
"""How long after it was announced an upload can be named in a request."""
NOBODY = "_"
"""Stands for an anonymous caller; no caller has such a name."""

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

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket
        self._lock = threading.Lock()
        self._client: Any = None

    def offer(self, asked: UploadRequest, owner: str) -> UploadAnswer:
        """An address for this upload of `owner`'s; raises PayloadTooLarge."""
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

        Raises UploadNotFound, or InvalidRequest where it is not what was announced.
        """
        from botocore.exceptions import ClientError, FlexibleChecksumError  # noqa: PLC0415  as late as boto3

        announced = _ID.fullmatch(upload_id)
        if announced is None or int(announced[1]) + USE_SECONDS <= time.time():
            raise UploadNotFound
        length = int(announced[2])
        with _s3_errors():
            try:
                found = self._s3().get_object(Bucket=self._bucket, Key=_key(upload_id, owner))
                with found["Body"] as stream:
                    # Never more than was announced, whatever lies there.
                    body = stream.read(length + 1) if found["ContentLength"] == length else b""
            except ClientError as error:
                if error.response["Error"]["Code"] == "NoSuchKey":
                    raise UploadNotFound from None
                raise
            except FlexibleChecksumError:
                body = b""  # against what S3 itself has noted; the digest below says the same
        if len(body) != length or hashlib.sha256(body).hexdigest() != announced[3]:
            raise InvalidRequest([{**field_error(("upload",), "is not what was announced")}])
        return Upload(body, found["ContentType"])

    def keep_result(self, task_id: str, body: bytes) -> None:
        """Put the JSON of a task's result where `result_url` shows it; once more is the same."""
        with _s3_errors():
            self._s3().put_object(
                Bucket=self._bucket, Key=_result_key(task_id), Body=body, ContentType="application/json"
            )

    def result_url(self, task_id: str) -> str:
        """An address to fetch a result from, for whoever may read the task."""
        wanted = {"Bucket": self._bucket, "Key": _result_key(task_id)}
        with _s3_errors():
            url = self._s3().generate_presigned_url("get_object", Params=wanted, ExpiresIn=OFFER_SECONDS)
        return str(url)

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None

    def _s3(self) -> Any:
        if not self._bucket:
            raise NotFound("This deployment takes no uploads.")
        with self._lock:
            if self._client is None:
                self._client = aws_client("s3")
            return self._client


def _key(upload_id: str, owner: str) -> str:
    return f"inputs/{NOBODY if owner == ANONYMOUS else owner}/{upload_id}"


def _result_key(task_id: str) -> str:
    return f"results/{task_id}"


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
