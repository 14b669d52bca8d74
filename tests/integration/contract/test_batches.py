"""Many rows as one job: accepted like one prediction, ended with all of their predictions."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest
import redis

from tandem.backplane.task_scripts import record_key
from tandem.backplane.topology import BULK_HIGH, BULK_QUEUES
from tandem.schemas.batch import MAX_ROWS
from tests.integration.contract.deployment import (
    Deployment,
    assert_problem,
    named,
    only_where_the_broker_is_ours,
    only_where_there_is_no_bucket,
)
from tests.integration.contract.test_predicting import assert_prediction
from tests.integration.contract.test_tasks import ended, only_with_the_probe, submit

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from tests.integration.contract.calls import Call

pytestmark = pytest.mark.timeout(300)
PATHS = ["/predict/batch/", "/predict/batch", "/models/{name}/batch", "/models/{name}/batch/"]


def path_of(live: Deployment, path: str) -> str:
    """The path with the served model's name."""
    return path.format(name=live.call("GET", "/predict/model/info").json()["model_name"])


@pytest.mark.parametrize("path", PATHS)
def test_every_row_has_its_single_prediction(live: Deployment, path: str) -> None:
    """In the order of the rows; progress counts them."""
    rows = [dict.fromkeys(live.features, value) for value in (1.5, 2, 3.25)]
    task = ended(live, submit(live, {"rows": rows}, path_of(live, path))).json()
    assert task["status"] == "SUCCESS"
    assert task["error"] is None
    assert task["progress"] == {"done": 3, "total": 3}
    assert task["result"]["errors"] == []
    for row, prediction in zip(rows, task["result"]["predictions"], strict=True):
        assert_prediction(prediction)
        single = live.post("/predict/", {"features": row}).json()["prediction"]
        single["probabilities"] = pytest.approx(single["probabilities"], rel=1e-12)
        assert prediction == single


def test_a_bad_row_fails_alone(live: Deployment) -> None:
    """It is named by its number, with all of its faults and none of its values."""
    first, second, *_ = live.features
    bad = {**live.features, first: "s3cr3t", "colour": 1}
    del bad[second]
    answer = ended(live, submit(live, {"rows": [live.features, bad, live.features]}, "/predict/batch/"))
    result = answer.json()["result"]
    assert [prediction is None for prediction in result["predictions"]] == [False, True, False]
    [fault] = result["errors"]
    assert fault["row"] == 1
    assert named(fault) == {("rows", 1, first), ("rows", 1, second), ("rows", 1, "colour")}
    assert b"s3cr3t" not in answer.body


def test_rows_that_are_all_bad_end_too(live: Deployment) -> None:
    """As a success with nothing but errors; of a flood of faults only the first are named."""
    task = ended(live, submit(live, {"rows": [{"colour": 1}] * 1_500}, "/predict/batch/")).json()
    assert task["status"] == "SUCCESS"
    assert task["result"]["predictions"] == [None] * 1_500
    assert [fault["row"] for fault in task["result"]["errors"]] == list(range(1_500))
    assert all(fault["errors"] for fault in task["result"]["errors"])
    assert sum(len(fault["errors"]) for fault in task["result"]["errors"]) <= 2_500


def test_matches_are_predicted_from_their_stored_features(live: Deployment) -> None:
    """One that is not stored fails alone."""
    match_id = live.call("GET", "/predict/matches/?limit=1").json()[0]["match_id"]
    asked = {"match_ids": [match_id, 2**53 - 1, match_id]}
    result = ended(live, submit(live, asked, "/predict/batch/")).json()["result"]
    single = live.call("GET", f"/predict/{match_id}").json()["prediction"]
    single["probabilities"] = pytest.approx(single["probabilities"], rel=1e-12)
    assert result["predictions"] == [single, None, single]
    [fault] = result["errors"]
    assert (fault["row"], named(fault)) == (1, {("match_ids", 1)})


def test_a_row_that_makes_the_model_raise_fails_alone(live: Deployment) -> None:
    """And what it raised is not told."""
    only_with_the_probe(live)
    rows = [{"action": "echo"}, {"action": "raise"}, {"action": "echo", "count": 5}]
    answer = ended(live, submit(live, {"rows": rows}, "/models/probe/batch"))
    predictions = answer.json()["result"]["predictions"]
    assert [one and one["output"]["count"] for one in predictions] == [-1, None, 5]
    assert [fault["row"] for fault in answer.json()["result"]["errors"]] == [1]
    assert b"as asked" not in answer.body


FAULTY: dict[str, tuple[Any, tuple[str | int, ...]]] = {
    "nothing": ({}, ()),
    "rows and matches": ({"rows": [{}], "match_ids": [1]}, ()),
    "matches and an upload": ({"match_ids": [1], "upload": "x"}, ()),
    "an upload that is no name": ({"upload": 5}, ("upload",)),
    "an upload of a long name": ({"upload": "x" * 201}, ("upload",)),
    "no rows": ({"rows": []}, ("rows",)),
    "a row that is no object": ({"rows": [{}, 5]}, ("rows", 1)),
    "rows that are no list": ({"rows": {}}, ("rows",)),
    "a match that is no number": ({"match_ids": [1, "2"]}, ("match_ids", 1)),
    "too many": ({"match_ids": [1] * (MAX_ROWS + 1)}, ("match_ids",)),
    "an unknown member": ({"rows": [{}], "row": 1}, ("row",)),
    "a callback": ({"rows": [{}], "callback_url": "https://example.org/"}, ("callback_url",)),
    "an unknown priority": ({"rows": [{}], "priority": "urgent"}, ("priority",)),
    "no time at all": ({"rows": [{}], "expires_in": 0}, ("expires_in",)),
}


@pytest.mark.parametrize("path", ["/predict/batch/", "/models/match-outcome/batch"])
@pytest.mark.parametrize("case", list(FAULTY))
def test_a_body_of_another_shape_is_422(silent: Deployment, path: str, case: str) -> None:
    """It names the field; nothing is accepted."""
    value, loc = FAULTY[case]
    problem = assert_problem(silent.post(path, value), 422, "invalid-request")
    assert named(problem) == {loc}


@pytest.mark.parametrize(
    "media_type",
    ["text/plain", "application/vnd.ms-excel", "text/csv; charset=latin-1", "text/csv;header=absent"],
)
def test_other_forms_of_rows_are_not_taken(silent: Deployment, media_type: str) -> None:
    """They are another media type than this route takes, and it says which it does."""
    answer = silent.post("/predict/batch/", {"rows": [silent.features]}, content_type=media_type)
    assert (
        "CSV" in assert_problem(answer, 415, "unsupported-media-type")["detail"].upper()
        or "charset" in media_type
    )


def test_an_unknown_model_is_404(silent: Deployment) -> None:
    """In the path as in the query, and at another alias."""
    for path in (
        "/models/nobody/batch",
        "/predict/batch/?model=nobody",
        "/models/match-outcome/batch?alias=x",
    ):
        assert_problem(silent.post(path, {"rows": [{}]}), 404, "model-not-found")


def test_a_result_that_would_be_too_large_is_refused_at_the_door(silent: Deployment) -> None:
    """Where there is no bucket for it, before anything is predicted; it says how many rows there may be."""
    only_where_there_is_no_bucket(silent)
    problem = assert_problem(silent.post("/predict/batch/", {"match_ids": [1] * 40_000}), 413)
    assert "5000000 bytes" in problem["detail"]


@pytest.mark.parametrize("path", ["/predict/batch/", "/models/match-outcome/batch"])
def test_a_repetition_with_the_key_is_the_same_job(silent: Deployment, path: str) -> None:
    """The first answer again, and no message more."""
    only_where_the_broker_is_ours(silent)
    key, body = uuid.uuid4().hex, {"rows": [silent.features] * 3, "priority": "high"}
    before = waiting_chunks(silent)
    first, second = (silent.post(path, body, idempotency_key=key) for _ in range(2))
    assert (first.status, second.status) == (202, 202)
    assert first.body == second.body
    assert waiting_chunks(silent) == {**before, BULK_HIGH: before[BULK_HIGH] + 1}
    other = silent.post(path, {**body, "priority": "low"}, idempotency_key=key)
    assert_problem(other, 422, "invalid-request")


def test_a_job_that_the_broker_does_not_take_whole_never_was(
    silent: Deployment, redeployed: Callable[[dict[str, str]], AbstractContextManager[Call]]
) -> None:
    """A queue that is full half-way: 503, no record, and the same key may try again and is then accepted."""
    only_where_the_broker_is_ours(silent)
    rows = {"rows": [silent.features] * 500}  # four chunks
    key = uuid.uuid4().hex
    room = waiting_chunks(silent)["ml.bulk"] + 3
    with redis.Redis.from_url(silent.redis_url) as store:
        before = set(store.keys("tandem:task:*"))
        with redeployed({**silent.variables, "QUEUE_MAX_LENGTH": str(room)}) as call:
            refused = Deployment(call).post("/predict/batch/", rows, idempotency_key=key)
        assert_problem(refused, 503, "queue-full")
        assert set(store.keys("tandem:task:*")) == before
        accepted = silent.post("/predict/batch/", rows, idempotency_key=key)
        assert accepted.status == 202
        assert store.hget(record_key(json.loads(accepted.body)["task_id"]), "t") == b"500"


def waiting_chunks(silent: Deployment) -> dict[str, int]:
    """Chunks in each of their queues."""
    assert silent.broker is not None
    lengths: list[Any] = [silent.broker.llen(queue) for queue in BULK_QUEUES]
    return dict(zip(BULK_QUEUES, lengths, strict=True))
