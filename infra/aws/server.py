# ruff: noqa: INP001  a program of its own, copied into its image
"""An endpoint of AWS for this machine: moto, with the buckets, secret and topic that a deployment has.

moto keeps everything in memory. The registry's artifacts have to outlast a restart as its database does, so
the objects of that one bucket are files under KEPT too. API_KEYS is what the secret of API keys holds.
"""

import logging
import os
import signal
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from moto.server import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

PORT = 5000
KEPT = Path("/var/lib/aws")
MODELS, PAYLOADS = os.environ["MODEL_BUCKET"], os.environ["PAYLOAD_BUCKET"]
API_KEYS_SECRET = "tandem/api-keys"  # noqa: S105  its name
ALARM_TOPIC = "tandem-alarms"
WRITES = {"PUT", "POST", "DELETE"}

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def client(service: str) -> Any:
    """A client of this endpoint; nobody checks its credentials."""
    config = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 2}, read_timeout=30)
    keys = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
    address = f"http://127.0.0.1:{PORT}"
    return boto3.client(
        service, endpoint_url=address, region_name=os.environ["AWS_REGION"], config=config, **keys
    )


class Keeper:
    """Makes the files under KEPT what the bucket of models holds, and at the start the other way round."""

    def __init__(self) -> None:
        self._s3 = client("s3")
        self._lock = threading.Lock()
        self._tags: dict[str, str] = {}

    def restore(self) -> None:
        """Fill the bucket."""
        for file in KEPT.rglob("*"):
            if file.is_file():
                key = str(file.relative_to(KEPT))
                self._tags[key] = self._s3.put_object(Bucket=MODELS, Key=key, Body=file.read_bytes())["ETag"]

    def keep(self) -> None:
        """Write what is new, remove what is gone."""
        with self._lock:
            pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=MODELS)
            found = {held["Key"]: held["ETag"] for page in pages for held in page.get("Contents", [])}
            for key in found.keys() | self._tags.keys():
                if key not in found:
                    (KEPT / key).unlink(missing_ok=True)
                elif found[key] != self._tags.get(key):
                    (KEPT / key).parent.mkdir(parents=True, exist_ok=True)
                    (KEPT / key).write_bytes(self._s3.get_object(Bucket=MODELS, Key=key)["Body"].read())
            self._tags = found


def kept(application: Application, keeper: Keeper) -> Application:
    """`application`, which answers a write to the bucket of models only when its files are written."""

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        body = application(environ, start_response)
        # Not what the keeper itself puts there when it restores.
        is_model = environ["PATH_INFO"].startswith(f"/{MODELS}/") and environ["REMOTE_ADDR"] != "127.0.0.1"
        if is_model and environ["REQUEST_METHOD"] in WRITES:
            keeper.keep()
        return body

    return answer


def furnish(keeper: Keeper) -> None:
    """Make what a deployment has; the bucket of payloads last, by which the health check knows the end."""
    where = {"LocationConstraint": os.environ["AWS_REGION"]}
    client("s3").create_bucket(Bucket=MODELS, CreateBucketConfiguration=where)
    keeper.restore()
    client("secretsmanager").create_secret(
        Name=API_KEYS_SECRET, SecretString=os.environ.get("API_KEYS") or "{}"
    )
    client("sns").create_topic(Name=ALARM_TOPIC)
    client("s3").create_bucket(Bucket=PAYLOADS, CreateBucketConfiguration=where)


def main() -> None:
    """Serve until SIGTERM."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    keeper = Keeper()
    application = kept(DomainDispatcherApplication(create_backend_app), keeper)
    server = make_server("0.0.0.0", PORT, application, threaded=True, request_handler=MotoRequestHandler)  # noqa: S104
    threading.Thread(target=server.serve_forever, daemon=True).start()
    furnish(keeper)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    # Blocked before the first thread starts, so that `sigwait` alone gets them.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    main()
