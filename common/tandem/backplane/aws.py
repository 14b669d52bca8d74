"""Clients of AWS: bounded waits, one retry, and the endpoint that `AWS_ENDPOINT_URL` names where it is set.

boto3 is imported when the first client is made: it would double the cold start of functions that make none,
and Lambda brings its own, so that the layer has none.
"""

import os
from typing import Any

CONNECT_SECONDS = 1.0
ANSWER_SECONDS = 3.0


def aws_client(service: str, answer_seconds: float = ANSWER_SECONDS) -> Any:
    """A client of `service`, of whatever region and credentials the environment has; the caller closes it."""
    import boto3  # noqa: PLC0415  a quarter of a second
    from botocore.config import Config  # noqa: PLC0415  the same

    # With the bucket in its name the host is the region's own; what stands in for AWS has no such names.
    style = "path" if os.environ.get("AWS_ENDPOINT_URL") else "virtual"
    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=answer_seconds,
        retries={"total_max_attempts": 2, "mode": "standard"},
        signature_version="s3v4" if service == "s3" else "v4",
        s3={"addressing_style": style},
    )
    return boto3.client(service, config=config)
