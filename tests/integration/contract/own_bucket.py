"""A bucket of payloads for the session: S3 as a process of its own, which nobody else's tests empty."""

from __future__ import annotations

import os
import sys
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest

from local.child import Child
from local.ports import LOOPBACK, answers, free_port
from tandem.backplane.aws import aws_client

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME = "tandem-payloads"
REGION = "eu-central-1"
START_SECONDS = 60


@contextmanager
def own_bucket(directory: Path) -> Iterator[dict[str, str]]:
    """The variables of functions and workers that have the bucket; `directory` gets S3's log."""
    port = free_port()
    variables = {
        "AWS_ENDPOINT_URL": f"http://{LOOPBACK}:{port}",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "PAYLOAD_BUCKET": NAME,
    }
    server = Child(
        "S3",
        [sys.executable, "-m", "moto.server", "-H", LOOPBACK, "-p", str(port)],
        log=directory / "s3.log",
        variables=os.environ | variables,
    )
    try:
        server.start()
        question = b"GET /moto-api/ HTTP/1.0\r\n\r\n"
        server.wait_until(lambda: answers(port, question, b"HTTP/1"), timeout_seconds=START_SECONDS)
        with pytest.MonkeyPatch.context() as patch:
            for name, value in variables.items():
                patch.setenv(name, value)
            with closing(aws_client("s3")) as client:
                client.create_bucket(Bucket=NAME, CreateBucketConfiguration={"LocationConstraint": REGION})
        yield variables
    finally:
        server.stop()
