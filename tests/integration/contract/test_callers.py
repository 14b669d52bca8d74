"""A task is its caller's: to everybody else it does not exist."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.contract.calls import CALLER
from tests.integration.contract.deployment import FEATURES, Deployment, assert_problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from tests.integration.contract.calls import Answer, Call

pytestmark = pytest.mark.timeout(300)
BODY = json.dumps({"features": FEATURES}).encode()
ALICE, BOB, NOBODY = {CALLER: "alice"}, {CALLER: "bob"}, dict[str, str]()


@pytest.fixture
def call(
    silent: Deployment, redeployed: Callable[[dict[str, str]], AbstractContextManager[Call]]
) -> Iterator[Call]:
    """Functions behind a gateway that tells who calls, and workers that never take anything."""
    with redeployed(silent.variables | {"BEHIND_GATEWAY": "true"}) as made:
        yield made


def submitted(call: Call, path: str, body: bytes, **headers: str) -> str:
    """The status URL of what alice has had accepted."""
    answer = call("POST", path, headers=ALICE | headers, body=body)
    assert answer.status == 202, answer.body
    return answer.headers["location"]


def unknown(answer: Answer) -> dict[str, Any]:
    """Check that it is a 404, and give what is said in it of the task and not of the request."""
    problem = assert_problem(answer, 404, "task-not-found")
    return {name: text for name, text in problem.items() if name not in {"instance", "request_id"}}


@pytest.mark.parametrize(
    ("path", "body"),
    [("/predict/async/", BODY), ("/predict/batch/", json.dumps({"rows": [FEATURES] * 3}).encode())],
    ids=["one", "many"],
)
@pytest.mark.parametrize("other", [BOB, NOBODY], ids=["bob", "nobody"])
def test_anothers_task_answers_like_one_that_never_was(
    call: Call, path: str, body: bytes, other: dict[str, str]
) -> None:
    """Reading, waiting and canceling; whose it is sees it untouched."""
    status_url = submitted(call, path, body)
    never = f"/monitoring/task_status/{uuid.uuid4()}"
    for method, query in (("GET", ""), ("GET", "?wait=20"), ("DELETE", "")):
        answers = [call(method, url + query, headers=other) for url in (status_url, never)]
        assert unknown(answers[0]) == unknown(answers[1])
        assert answers[0].headers.keys() == answers[1].headers.keys()
    mine = call("GET", status_url, headers=ALICE)
    assert (mine.status, mine.json()["status"]) == (200, "PENDING")
    assert call("DELETE", status_url, headers=ALICE).json()["status"] == "REVOKED"
    unknown(call("GET", status_url, headers=other))


def test_nobodys_task_is_not_somebodys(call: Call) -> None:
    """What was accepted while nobody was asked for a key belongs to none of those who have one."""
    answer = call("POST", "/predict/async/", body=BODY)
    assert answer.status == 202
    assert call("GET", answer.headers["location"]).status == 200
    unknown(call("GET", answer.headers["location"], headers=ALICE))


@pytest.mark.parametrize("prefer", ["wait=0", "respond-async, wait=0"])
def test_a_task_that_was_waited_for_is_its_callers_too(call: Call, prefer: str) -> None:
    """From the 504 or the 202 on, which are what gives the id away."""
    answer = call("POST", "/predict/", headers={**ALICE, "prefer": prefer}, body=BODY)
    assert answer.status in {202, 504}
    status_url = answer.json()["status_url"]
    assert call("GET", status_url, headers=ALICE).status == 200
    unknown(call("GET", status_url, headers=BOB))


def test_idempotency_keys_are_each_callers_own(call: Call) -> None:
    """The same key and body of two callers are two tasks; another body under another's key is no conflict."""
    key = {"idempotency-key": uuid.uuid4().hex}
    first = submitted(call, "/predict/async/", BODY, **key)
    assert submitted(call, "/predict/async/", BODY, **key) == first
    other = json.dumps({"features": FEATURES | {"rest_days": 1.0}}).encode()
    answer = call("POST", "/predict/async/", headers=BOB | key, body=other)
    assert answer.status == 202
    assert answer.headers["location"] != first


def test_without_a_gateway_no_header_tells_who_calls(
    silent: Deployment, redeployed: Callable[[dict[str, str]], AbstractContextManager[Call]], way: str
) -> None:
    """Whoever reaches a function directly cannot become alice by saying so."""
    if way == "event":
        pytest.skip("an event's headers tell nothing anyway")
    with redeployed(silent.variables) as direct:
        status_url = submitted(direct, "/predict/async/", BODY)
        assert direct("GET", status_url, headers=BOB).status == 200
