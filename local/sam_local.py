"""`sam local start-api` and `start-lambda`: the built functions in warm containers beside the composition."""

from __future__ import annotations

import contextlib
import json
import os
import urllib.request
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import yaml

from local.child import Child
from local.ports import LOOPBACK, answers, free_port
from local.steps import StepFailed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

START_SECONDS = 120
STOP_SECONDS = 40
ASK_SECONDS = 35
LOG_LINES = 60
REGION = "eu-central-1"
# In an account the addresses are secrets and references, which `sam local` does not look up.
VARIABLES = {
    "BROKER_URL": "amqp://tandem:tandem@rabbitmq:5672//",
    "REDIS_URL": "redis://redis:6379/0",
    "API_KEYS_SECRET": "tandem/api-keys",
    "PAYLOAD_BUCKET": "tandem-payloads",
}
ENDPOINT = {"AWS_ENDPOINT_URL": "http://aws:5000"}
SIGNERS = ("UploadsFunction", "TaskStatusFunction")


def answered_here(template: Path, s3: str) -> None:
    """Have the functions of a built template ask the composition's AWS; SAM sets only what a template has.

    Those that write addresses of S3 for callers write that of `s3`, where callers reach it.
    """
    document: dict[str, Any] = yaml.safe_load(template.read_text(encoding="utf-8"))
    document["Globals"]["Function"]["Environment"]["Variables"] |= ENDPOINT
    # The one function that Globals are not for.
    authorizer = document["Resources"]["AuthorizerFunction"]["Properties"]
    authorizer["Environment"]["Variables"] |= ENDPOINT
    for name in SIGNERS:
        properties = document["Resources"][name]["Properties"]
        properties["Environment"]["Variables"]["AWS_ENDPOINT_URL_S3"] = s3
    template.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")


def options(template: Path, network: str) -> list[str]:
    """What every `sam local` command is told; the file of variables lies beside the template."""
    variables = template.with_name("variables.json")
    variables.write_text(json.dumps({"Parameters": VARIABLES}), encoding="utf-8")
    where = ["--template", str(template), "--docker-network", network, "--region", REGION]
    return [*where, "--env-vars", str(variables), "--skip-pull-image"]


@contextlib.contextmanager
def served(kind: str, template: Path, network: str, key: str = "") -> Iterator[str]:
    """Run `start-api` or `start-lambda`; gives its address. StartError when it does not come up.

    With a `key`, of the API, that is when its functions answer: on a busy machine the containers that SAM
    starts ahead are not ready when SAM is. What it has logged last is shown when what uses it fails.
    """
    port = free_port()
    log = template.parent.with_name(f"{kind}.log")
    # Cold ones take seconds for each request, for a layer of the template is built into an image anew.
    warm = ["--warm-containers", "EAGER", "--port", str(port)]
    command = ["sam", "local", kind, *warm, *options(template, network)]
    credentials = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
    child = Child(
        f"sam local {kind}", command, log=log, variables=os.environ | credentials, stop_seconds=STOP_SECONDS
    )
    try:
        child.start()
        question = b"GET / HTTP/1.0\r\n\r\n"
        child.wait_until(lambda: answers(port, question, b"HTTP/1"), timeout_seconds=START_SECONDS)
        address = f"http://{LOOPBACK}:{port}"
        if key:
            child.wait_until(lambda: _knows_model(address, key), timeout_seconds=START_SECONDS)
        yield address
    except StepFailed:
        print(f"sam local {kind} said last:\n{child.log_end(LOG_LINES)}", flush=True)
        raise
    finally:
        child.stop()


def _knows_model(address: str, key: str) -> bool:
    asked = urllib.request.Request(f"{address}/predict/model/info", headers={"X-Api-Key": key})  # noqa: S310  our own
    try:
        with urllib.request.urlopen(asked, timeout=ASK_SECONDS) as answer:  # noqa: S310  likewise
            return bool(answer.status == HTTPStatus.OK)
    except OSError:  # every status that is a fault, too
        return False
