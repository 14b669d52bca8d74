"""What the contract's tests know of the deployment they ask: how to call it, and its store and broker."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pytest

from tandem.backplane.topology import PREDICTION_QUEUES

if TYPE_CHECKING:
    import redis

    from tests.integration.contract.calls import Answer, Call

AS_OF = "2026-04-20"
FEATURES = {"home_elo": 1650.0, "away_elo": 1450.0, "rest_days": 6.0}
MATCHES: list[dict[str, Any]] = [
    {
        "match_id": match_id,
        "home_team": home,
        "away_team": away,
        "match_date": match_date,
        "as_of": as_of,
        "features": FEATURES,
    }
    for match_id, home, away, match_date, as_of in [
        (42, "Arsenal", "Chelsea", "2026-04-25", AS_OF),
        (41, "Leeds", "Burnley", "2026-04-25", AS_OF),
        (99, "Everton", "Fulham", "2026-05-02", AS_OF),
        (7, "Brentford", "Wolves", "2026-04-19", AS_OF),
        (8, "Luton", "Derby", "2026-05-09", "2025-11-01"),
    ]
]
"""7 has been played by then; the features of 8 are too old."""
PROBLEM = "application/problem+json"
NO_BUCKET = 404


@dataclass
class Deployment:
    """Functions somewhere. `broker` and `redis_url` are known only where the test started them."""

    call: Call
    broker: redis.Redis | None = None
    redis_url: str = ""
    variables: dict[str, str] = field(default_factory=dict)

    @cached_property
    def features(self) -> dict[str, Any]:
        """A row that fits the served model, whichever that is."""
        info = self.call("GET", "/predict/model/info").json()
        return {column["name"]: 1.5 for column in info["signature"]["inputs"]}

    def post(self, path: str, value: Any, **headers: str) -> Answer:
        """POST a JSON value; underscores in the names of headers stand for hyphens."""
        sent = {"content-type": "application/json"} | {
            name.replace("_", "-"): text for name, text in headers.items()
        }
        return self.call("POST", path, headers=sent, body=json.dumps(value).encode())

    def waiting(self) -> int:
        """How many messages the broker holds; only where nobody takes them."""
        if self.broker is None:
            return 0
        lengths: list[Any] = [self.broker.llen(queue) for queue in PREDICTION_QUEUES]
        return sum(lengths)


def assert_problem(answer: Answer, status: int, kind: str | None = None) -> dict[str, Any]:
    """Check that the answer is a problem object as documented, and give it."""
    assert answer.status == status, answer.body
    assert answer.headers["content-type"] == PROBLEM
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == status
    assert problem["type"].startswith("/problems/")
    assert kind is None or problem["type"] == f"/problems/{kind}"
    for member in ("title", "detail", "instance", "request_id"):
        assert problem[member]
        assert isinstance(problem[member], str)
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert b"Traceback" not in answer.body
    if status in {429, 503}:
        assert int(answer.headers["retry-after"]) >= 1
    return problem


def named(problem: dict[str, Any]) -> set[tuple[str | int, ...]]:
    """Which fields a problem names."""
    assert all(isinstance(error["msg"], str) and error["msg"] for error in problem["errors"])
    return {tuple(error["loc"]) for error in problem["errors"]}


def takes_uploads(deployment: Deployment) -> bool:
    """Whether the deployment has a bucket."""
    return deployment.post("/uploads", {"content_length": 1, "sha256": "0" * 64}).status != NO_BUCKET


def only_where_there_is_no_bucket(deployment: Deployment) -> None:
    """Skip a test of what a deployment does that has no bucket."""
    if takes_uploads(deployment):
        pytest.skip("this deployment has a bucket")


def only_where_the_broker_is_ours(deployment: Deployment) -> None:
    """Skip a test that has to look into the broker."""
    if deployment.broker is None:
        pytest.skip("the broker of a deployment that runs elsewhere is not the test's")
