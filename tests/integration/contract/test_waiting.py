"""One request, three modes: an answer, a 504 or a 202, as the caller prefers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.contract.deployment import Deployment, assert_problem

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from tests.integration.contract.calls import Answer, Call

pytestmark = pytest.mark.timeout(300)
WAIT_SECONDS = 20


@pytest.fixture(autouse=True)
def _only_with_the_probe(live: Deployment) -> None:
    if not live.redis_url:
        pytest.skip("the models of a deployment that runs elsewhere are not the test's")


def slow(live: Deployment, seconds: float, **headers: str) -> Answer:
    """Ask for a prediction that takes a while."""
    body = {"features": {"action": "sleep", "seconds": seconds}}
    return live.post("/predict/?model=probe", body, **headers)


def ended(live: Deployment, status_url: str) -> dict[str, Any]:
    """The task's last state."""
    task: dict[str, Any] = live.call("GET", f"{status_url}?wait={WAIT_SECONDS}").json()
    return task


def started(live: Deployment, status_url: str) -> None:
    """Wait until a worker has taken the task up."""
    deadline = time.monotonic() + WAIT_SECONDS
    while live.call("GET", status_url).json()["status"] == "PENDING":
        assert time.monotonic() < deadline, "no worker has taken it up"
        time.sleep(0.02)


def test_a_wait_that_suffices_ends_in_the_answer(live: Deployment) -> None:
    """And says that it was honoured."""
    answer = slow(live, 0, prefer="wait=15")
    assert answer.status == 200, answer.body
    assert answer.headers["preference-applied"] == "wait=15"


def test_a_wait_that_does_not_suffice_ends_in_504(live: Deployment) -> None:
    """It names the task; one that was running ends where its result can be read."""
    answer = slow(live, 3, prefer="wait=1")
    problem = assert_problem(answer, 504, "deadline-passed")
    assert answer.headers["preference-applied"] == "wait=1"
    task = ended(live, problem["status_url"])
    assert task["task_id"] == problem["task_id"]
    assert task["status"] == "SUCCESS"
    assert task["result"]["prediction"]["output"]["echo"] == "sleep"


def test_what_was_not_started_in_time_never_runs(live: Deployment) -> None:
    """While the worker is busy a second caller gives up: its task ends REVOKED, and stays so."""
    busy = slow(live, 3, prefer="respond-async")
    started(live, busy.headers["location"])
    problem = assert_problem(slow(live, 0, prefer="wait=1"), 504, "deadline-passed")
    assert live.call("GET", problem["status_url"]).json()["status"] == "REVOKED"
    assert ended(live, busy.headers["location"])["status"] == "SUCCESS"
    task = live.call("GET", problem["status_url"]).json()
    assert task["status"] == "REVOKED"
    assert task["error"]["type"] == "/problems/task-revoked"
    assert task["attempts"] == 0


def test_respond_async_ends_in_202_and_the_task_goes_on(live: Deployment) -> None:
    """The result is picked up at the status URL."""
    answer = slow(live, 2, prefer="respond-async, wait=1")
    assert answer.status == 202, answer.body
    assert answer.headers["preference-applied"] == "respond-async, wait=1"
    assert answer.headers["location"] == answer.json()["status_url"]
    assert int(answer.headers["retry-after"]) >= 1
    task = ended(live, answer.headers["location"])
    assert task["status"] == "SUCCESS"


def test_respond_async_ends_in_200_where_the_answer_is_there_in_time(live: Deployment) -> None:
    """No second request is needed."""
    answer = slow(live, 0, prefer="respond-async, wait=15")
    assert answer.status == 200, answer.body
    assert answer.headers["preference-applied"] == "wait=15"
    assert answer.json()["prediction"]["output"]["echo"] == "sleep"


def test_respond_async_alone_does_not_wait(live: Deployment) -> None:
    """202 at once."""
    answer = slow(live, 0, prefer="respond-async")
    assert answer.status == 202
    assert answer.headers["preference-applied"] == "respond-async"
    assert ended(live, answer.headers["location"])["status"] == "SUCCESS"


def test_the_deployments_own_deadline_is_the_longest_wait(
    live: Deployment, redeployed: Callable[[dict[str, str]], AbstractContextManager[Call]]
) -> None:
    """Without a preference, and whatever the preference."""
    with redeployed({**live.variables, "SYNC_TIMEOUT_SECONDS": "1"}) as call:
        hasty = Deployment(call)
        for headers in ({}, {"prefer": "wait=600"}):
            answer = slow(hasty, 2, **headers)
            assert_problem(answer, 504, "deadline-passed")
            assert answer.headers.get("preference-applied") == ("wait=1" if headers else None)
            assert ended(hasty, answer.json()["status_url"])["status"] in {"SUCCESS", "REVOKED"}


def test_a_task_that_fails_while_it_is_waited_for_is_a_502(live: Deployment) -> None:
    """In every mode."""
    body = {"features": {"action": "raise"}}
    for prefer in ("wait=15", "respond-async, wait=15"):
        assert_problem(live.post("/predict/?model=probe", body, prefer=prefer), 502, "model-error")
