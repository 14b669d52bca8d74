"""Tasks: accepted, read, waited for, canceled."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import redis

from tandem.backplane.task_scripts import gone_key, meta_key, record_key
from tests.integration.contract.deployment import Deployment, assert_problem

if TYPE_CHECKING:
    from tests.integration.contract.calls import Answer

pytestmark = pytest.mark.timeout(300)
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def submit(live: Deployment, value: Any, path: str = "/predict/async/") -> str:
    """Submit a task, check the 202, give the status URL."""
    answer = live.post(path, value)
    assert answer.status == 202, answer.body
    accepted = answer.json()
    assert accepted["status"] == "submitted"
    assert accepted["status_url"] == f"/monitoring/task_status/{accepted['task_id']}"
    assert answer.headers["location"] == accepted["status_url"]
    assert int(answer.headers["retry-after"]) >= 1
    return str(accepted["status_url"])


def ended(live: Deployment, status_url: str) -> Answer:
    """The answer of a long poll."""
    return live.call("GET", f"{status_url}?wait=20")


@pytest.mark.parametrize("path", ["/predict/async/", "/predict/async"])
@pytest.mark.parametrize("priority", ["high", "normal", "low", None])
def test_a_task_has_the_synchronous_answer_as_its_result(
    live: Deployment, path: str, priority: str | None
) -> None:
    """Whatever its priority; both forms of both paths."""
    body = {"match_id": 5, "features": live.features} | ({"priority": priority} if priority else {})
    status_url = submit(live, body, path)
    answer = ended(live, status_url)
    assert answer.status == 200
    task = answer.json()
    assert task["status"] == "SUCCESS"
    assert task["result"] == live.post("/predict/", {"match_id": 5, "features": live.features}).json()
    assert task["error"] is None
    assert task["attempts"] == 1
    assert task["progress"] == {"done": 1, "total": 1}
    for member in ("submitted_at", "started_at", "finished_at"):
        assert MOMENT.fullmatch(task[member])
    assert task["queue_seconds"] >= 0
    assert task["run_seconds"] >= 0
    assert "retry-after" not in answer.headers
    assert live.call("GET", status_url + "/").json() == task


def test_a_task_is_made_from_a_matchs_stored_features(live: Deployment) -> None:
    """Its number is in the result."""
    match_id = live.call("GET", "/predict/matches/?limit=1").json()[0]["match_id"]
    task = ended(live, submit(live, {"match_id": match_id})).json()
    assert task["result"] == live.call("GET", f"/predict/{match_id}").json()


def test_nothing_new_is_304(live: Deployment) -> None:
    """By the ETag of the last answer, weak or in a list; another one gets the whole."""
    status_url = submit(live, {"features": live.features})
    answer = ended(live, status_url)
    etag = answer.headers["etag"]
    for known in (etag, f"W/{etag}", f'"x", {etag}', "*"):
        again = live.call("GET", status_url, headers={"if-none-match": known})
        assert again.status == 304
        assert again.headers["etag"] == etag
        assert again.body == b""
    assert live.call("GET", status_url, headers={"if-none-match": '"x"'}).status == 200


def test_a_callback_is_not_promised_before_it_is_kept(live: Deployment) -> None:
    """A deployment that calls nobody says so instead of accepting."""
    body = {"features": live.features, "callback_url": "https://example.org/hook"}
    assert_problem(live.post("/predict/async/", body), 422, "invalid-request")


def only_with_the_probe(live: Deployment) -> None:
    """Skip where the models are not the test's."""
    if not live.redis_url:
        pytest.skip("the models of a deployment that runs elsewhere are not the test's")


def test_a_task_of_a_model_that_raises_is_a_failure(live: Deployment) -> None:
    """200, with the problem inside."""
    only_with_the_probe(live)
    answer = ended(live, submit(live, {"features": {"action": "raise"}}, "/predict/async/?model=probe"))
    assert answer.status == 200
    task = answer.json()
    assert task["status"] == "FAILURE"
    assert task["result"] is None
    assert task["error"]["type"] == "/problems/model-error"
    assert task["error"]["status"] == 502
    assert b"as asked" not in answer.body


def test_a_waiting_task_says_so_and_is_canceled(live: Deployment) -> None:
    """It never runs; canceling twice is no error; its state has an ETag and a time to ask again."""
    only_with_the_probe(live)
    busy = submit(live, {"features": {"action": "sleep", "seconds": 3}}, "/predict/async/?model=probe")
    status_url = submit(live, {"features": live.features})
    waiting = live.call("GET", status_url)
    assert waiting.json()["status"] == "PENDING"
    assert waiting.json()["started_at"] is None
    assert int(waiting.headers["retry-after"]) >= 1
    same = live.call("GET", status_url, headers={"if-none-match": waiting.headers["etag"]})
    assert (same.status, same.headers["etag"]) == (304, waiting.headers["etag"])
    for _ in range(2):
        canceled = live.call("DELETE", status_url)
        assert canceled.status == 200
        assert canceled.json()["status"] == "REVOKED"
        assert canceled.json()["error"]["reason"] == "canceled"
    changed = live.call("GET", status_url, headers={"if-none-match": waiting.headers["etag"]})
    assert changed.status == 200
    assert ended(live, busy).json()["status"] == "SUCCESS"
    assert live.call("GET", status_url).json()["attempts"] == 0


def test_a_task_that_has_ended_stays_as_it_is(live: Deployment) -> None:
    """Canceling comes too late, and the answer tells the truth."""
    status_url = submit(live, {"features": live.features})
    before = ended(live, status_url).json()
    assert live.call("DELETE", status_url).json() == before
    assert live.call("GET", status_url).json() == before


def test_a_result_that_is_no_longer_kept_is_410(live: Deployment) -> None:
    """As long as it is remembered that there was one, then 404; canceling finds it as little."""
    only_with_the_probe(live)
    status_url = submit(live, {"features": live.features})
    assert ended(live, status_url).json()["status"] == "SUCCESS"
    task_id = status_url.rpartition("/")[2]
    with redis.Redis.from_url(live.redis_url) as store:
        for key in (record_key(task_id), meta_key(task_id)):
            assert store.delete(key) == 1  # as its TTL does
        for asked in (status_url, f"{status_url}?wait=5"):
            assert_problem(live.call("GET", asked), 410, "result-gone")
        assert_problem(live.call("DELETE", status_url), 410, "result-gone")
        assert store.delete(gone_key(task_id)) == 1
        assert_problem(live.call("GET", status_url), 404, "task-not-found")


def test_a_task_that_expires_is_terminal_by_then(live: Deployment) -> None:
    """Though the worker was busy all the time."""
    only_with_the_probe(live)
    busy = submit(live, {"features": {"action": "sleep", "seconds": 4}}, "/predict/async/?model=probe")
    status_url = submit(live, {"features": live.features, "expires_in": 1})
    task = ended(live, busy).json()
    assert task["status"] == "SUCCESS"
    task = live.call("GET", status_url).json()
    assert task["status"] == "REVOKED"
    assert task["error"]["reason"] == "expired"
