"""Requests to put to every way into the system, and what of an answer has to be the same whichever it was."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.integration.contract.calls import Answer, Call

COMPARED = ("content-type", "location", "retry-after", "etag", "preference-applied", "cache-control", "allow")
NEVER_WAS = "00000000-0000-4000-8000-000000000000"
VARYING = (
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "<task>"),
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z"), "<time>"),
    (re.compile(r"https?://\S+"), "<address>"),
    (re.compile(r"[0-9]{10}-[1-9][0-9]{0,8}-[0-9a-f]{64}-[0-9a-f]{16}"), "<upload>"),
)
"""What is another for every request, as it reads in a comparison."""
MEASURED = {"request_id", "run_seconds", "queue_seconds"}


@dataclass(frozen=True)
class Asked:
    """One request to a route, named as in the template; `{match}` and so on stand for what there is."""

    route: str
    title: str
    status: int
    path: str = ""
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    moves: bool = False
    """Whether numbers in the answer go on changing, so that only their place is compared."""

    def put(self, call: Call, known: Mapping[str, Any]) -> Answer:
        """The answer to it."""
        method, _, route = self.route.partition(" ")
        path = (self.path or route).format(**known)
        if self.body is None:
            return call(method, path, headers=self.headers)
        body = {
            name: known.get(value, value) if isinstance(value, str) else value
            for name, value in self.body.items()
        }
        sent = {"content-type": "application/json", **self.headers}
        return call(method, path, headers=sent, body=json.dumps(body).encode())


TASK, STATUS = "GET /monitoring/task_status/{task_id}", "/monitoring/task_status/"
ASKED = [
    Asked("POST /predict", "features that fit", 200, body={"match_id": 99, "features": "features"}),
    Asked("POST /predict", "features that do not", 422, body={"features": {"colour": 1}}),
    Asked("GET /predict/{match_id}", "a match", 200, "/predict/{match}"),
    Asked("GET /predict/{match_id}", "no such match", 404, "/predict/999999999"),
    Asked("GET /predict/matches", "the first three", 200, "/predict/matches/?limit=3"),
    Asked("GET /predict/matches", "a limit that is none", 422, "/predict/matches?limit=many"),
    Asked("GET /predict/model/info", "the match model", 200),
    Asked("GET /predict/model/info", "no such model", 404, "/predict/model/info?model=nobody"),
    Asked("POST /predict/async", "a match", 202, body={"match_id": "match"}),
    Asked("POST /predict/async", "nothing", 422, body={}),
    Asked("POST /predict/batch", "two rows", 202, body={"rows": "rows"}),
    Asked("POST /predict/batch", "no rows", 422, body={"rows": []}),
    Asked("POST /models/{name}/batch", "two rows", 202, "/models/match-outcome/batch", body={"rows": "rows"}),
    Asked("POST /models/{name}/batch", "no such model", 404, "/models/nobody/batch", body={"rows": "rows"}),
    Asked(TASK, "one that has ended", 200, STATUS + "{ended}"),
    Asked(TASK, "one that never was", 404, STATUS + NEVER_WAS),
    Asked("DELETE /monitoring/task_status/{task_id}", "one that has ended", 200, STATUS + "{ended}"),
    Asked("DELETE /monitoring/task_status/{task_id}", "one that never was", 404, STATUS + NEVER_WAS),
    Asked("GET /monitoring/celery/queues", "", 200, moves=True),
    Asked("GET /monitoring/celery/workers", "", 200, moves=True),
    Asked(
        "POST /uploads",
        "an announcement",
        200,
        body={"content_type": "application/json", "content_length": 2, "sha256": "0" * 64},
    ),
    Asked("POST /uploads", "one without a digest", 422, body={"content_length": 2}),
    Asked("GET /health/live", "", 200),
    Asked("GET /health/ready", "", 200),
    Asked("GET /healthcheck", "", 200),
]


def essence(answer: Answer, *, moves: bool) -> dict[str, Any]:
    """Status, headers and body of an answer without what is another for every request."""
    headers = {name: masked(answer.headers[name]) for name in COMPARED if name in answer.headers}
    if "etag" in headers:
        headers["etag"] = "<tag>"
    body = answer.json() if answer.body else None
    return {"status": answer.status, "headers": headers, "body": bare(body, moves=moves)}


def bare(value: Any, *, moves: bool) -> Any:
    """A JSON value, its texts masked, measured numbers as their places."""
    if isinstance(value, dict):
        return {
            name: "<measured>" if name in MEASURED else bare(held, moves=moves)
            for name, held in value.items()
        }
    if isinstance(value, list):
        return [bare(held, moves=moves) for held in value]
    if isinstance(value, str):
        return masked(value)
    return "<number>" if moves and not isinstance(value, bool) else value


def masked(text: str) -> str:
    """A text with what is another for every request named instead."""
    for pattern, name in VARYING:
        text = pattern.sub(name, text)
    return text
