"""Rows by way of the bucket, and results out of it: as in the body, and larger."""

from __future__ import annotations

import hashlib
import json
import uuid
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from local.ports import free_port
from tandem.backplane.claim_check import MAX_BYTES
from tandem.schemas.batch import MAX_ROWS
from tests.integration.contract.calls import CALLER
from tests.integration.contract.deployment import (
    Deployment,
    assert_problem,
    named,
    only_where_there_is_no_bucket,
    takes_uploads,
)
from tests.integration.contract.test_batches import PATHS, path_of
from tests.integration.contract.test_tasks import ended, submit
from tests.integration.contract.test_texts_of_rows import CSV, NDJSON, csv_of, ndjson_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from tests.integration.contract.calls import Call

pytestmark = pytest.mark.timeout(500)
JSON = "application/json"
BATCH = "/predict/batch/"


@pytest.fixture
def live(live: Deployment) -> Deployment:
    """A deployment that takes uploads."""
    if not takes_uploads(live):
        pytest.skip("this deployment has no bucket")
    return live


def announced(live: Deployment, body: bytes, media_type: str = JSON, **headers: str) -> Any:
    """The answer to an announcement."""
    digest = hashlib.sha256(body).hexdigest()
    value = {"content_length": len(body), "sha256": digest, "content_type": media_type}
    answer = live.post("/uploads", value, **headers)
    assert answer.status == 200, answer.body
    return answer.json()


def send(offer: Any, body: bytes) -> None:
    """Send it as the answer says."""
    answer = httpx.request(offer["method"], offer["url"], headers=offer["headers"], content=body, timeout=60)
    assert answer.status_code == 200, answer.text


def uploaded(live: Deployment, body: bytes, media_type: str = JSON, **headers: str) -> str:
    """The id of an upload that is there."""
    offer = announced(live, body, media_type, **headers)
    send(offer, body)
    return str(offer["upload_id"])


def json_of(rows: list[dict[str, Any]]) -> bytes:
    """What a body would be."""
    return json.dumps({"rows": rows}).encode()


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(("media_type", "text_of"), [(JSON, json_of), (NDJSON, ndjson_of), (CSV, csv_of)])
def test_an_upload_is_the_same_job_as_a_body(
    live: Deployment, path: str, media_type: str, text_of: Callable[[list[dict[str, Any]]], bytes]
) -> None:
    """Whatever it is written in, as often as it is named, and with what a request says besides."""
    rows = [dict.fromkeys(live.features, value) for value in (1.5, 2, 3.25)]
    upload = uploaded(live, text_of(rows), media_type)
    expected = ended(live, submit(live, {"rows": rows}, BATCH)).json()["result"]
    for asked in ({"upload": upload}, {"upload": upload, "priority": "high", "expires_in": 600}):
        task = ended(live, submit(live, asked, path_of(live, path))).json()
        assert (task["status"], task["result"]) == ("SUCCESS", expected)


def test_an_upload_of_matches(live: Deployment) -> None:
    """As a body of `match_ids`; one that is not stored fails alone."""
    match_id = live.call("GET", "/predict/matches/?limit=1").json()[0]["match_id"]
    upload = uploaded(live, json.dumps({"match_ids": [match_id, 2**53 - 1]}).encode())
    result = ended(live, submit(live, {"upload": upload}, BATCH)).json()["result"]
    assert result["predictions"][0]
    assert [fault["row"] for fault in result["errors"]] == [1]


def test_an_upload_may_be_larger_than_a_body(live: Deployment) -> None:
    """And a bad row in it fails alone, by its number."""
    line = json.dumps(live.features).encode()
    lines = [line + b" " * 200_000 for _ in range(40)]
    lines[17] = b"{" + b" " * 200_000
    upload = uploaded(live, b"\n".join(lines), NDJSON)
    result = ended(live, submit(live, {"upload": upload}, BATCH)).json()["result"]
    assert [fault["row"] for fault in result["errors"]] == [17]
    assert [one is None for one in result["predictions"]] == [row == 17 for row in range(40)]


def test_fifty_thousand_rows_go_in_and_their_result_comes_out(live: Deployment) -> None:
    """A result over the inline limit is a link, for whoever reads the task; there it is as it is inline."""
    rows = [dict.fromkeys(live.features, float(row)) for row in range(MAX_ROWS)]
    upload = uploaded(live, csv_of(rows), CSV)
    status_url = submit(live, {"upload": upload}, BATCH)
    task = ended(live, status_url).json()
    for _ in range(20):
        if task["status"] not in {"PENDING", "STARTED", "RETRY"}:
            break
        task = ended(live, status_url).json()
    assert task["status"] == "SUCCESS", task["error"]
    assert task["progress"] == {"done": MAX_ROWS, "total": MAX_ROWS}
    assert task["result"] is None
    link = task["result_link"]
    assert link.keys() == {"url", "expires_at", "bytes"}
    fetched = httpx.get(link["url"], timeout=60)
    assert fetched.headers["content-type"] == JSON
    assert len(fetched.content) == link["bytes"] > 5_000_000
    result = fetched.json()
    assert result["errors"] == []
    assert len(result["predictions"]) == MAX_ROWS
    some = ended(live, submit(live, {"rows": rows[-3:]}, BATCH)).json()
    assert some["result_link"] is None
    for one, single in zip(result["predictions"][-3:], some["result"]["predictions"], strict=True):
        one["probabilities"] = pytest.approx(single["probabilities"], rel=1e-12)
        assert one == single
    # Read again it is there still, and canceling comes too late.
    assert live.call("DELETE", status_url).json()["result_link"]["bytes"] == link["bytes"]


BAD: dict[str, tuple[bytes, str, int, str, set[tuple[str | int, ...]]]] = {
    "no JSON": (b"{", JSON, 400, "invalid-json", set()),
    "no object": (b"[]", JSON, 422, "invalid-request", {()}),
    "no rows": (b'{"rows": []}', JSON, 422, "invalid-request", {("rows",)}),
    "a row that is none": (b'{"rows": [{}, 5]}', JSON, 422, "invalid-request", {("rows", 1)}),
    "an upload": (b'{"upload": "x"}', JSON, 422, "invalid-request", {("upload",)}),
    "a priority": (
        b'{"rows": [{}], "priority": "low", "expires_in": 5}',
        JSON,
        422,
        "invalid-request",
        {("priority",), ("expires_in",)},
    ),
    "too many rows": (b"{}\n" * (MAX_ROWS + 1), NDJSON, 422, "invalid-request", {("rows",)}),
    "too much in them": (b"[" * 1_000_001, NDJSON, 413, "payload-too-large", set()),
    "a row without end": (
        b'{"rows": [{"a": [' + b"1," * 1_000_001 + b"1]}]}",
        JSON,
        413,
        "payload-too-large",
        set(),
    ),
    "another header": (b"colour\n1", CSV, 422, "invalid-request", {("header", "colour")}),
}


@pytest.mark.parametrize("case", list(BAD))
def test_an_upload_that_does_not_fit_is_refused(live: Deployment, case: str) -> None:
    """When it is named, as a body of the kind would be."""
    body, media_type, status, kind, locs = BAD[case]
    answer = live.post(BATCH, {"upload": uploaded(live, body, media_type)})
    problem = assert_problem(answer, status, kind)
    if locs:
        assert named(problem) >= locs


def test_an_upload_that_is_not_there_is_404(live: Deployment) -> None:
    """Never announced, or not sent yet: the answer says what to do, and after that it is there."""
    rows = json_of([live.features])
    offer = announced(live, rows)
    made_up = offer["upload_id"][:-16] + "0" * 16
    for upload in (offer["upload_id"], made_up, "x", ""):
        problem = assert_problem(live.post(BATCH, {"upload": upload}), 404, "upload-not-found")
        assert "POST /uploads" in problem["detail"]
    send(offer, rows)
    assert live.post(BATCH, {"upload": offer["upload_id"]}).status == 202


def test_an_upload_over_its_time_is_410(live: Deployment) -> None:
    """Its id says since when."""
    upload = f"1777125600-4-{'0' * 64}-{'0' * 16}"
    assert_problem(live.post(BATCH, {"upload": upload}), 410, "upload-expired")


def test_an_upload_has_a_limit(live: Deployment) -> None:
    """Refused before anything is sent."""
    answer = live.post("/uploads", {"content_length": MAX_BYTES + 1, "sha256": "0" * 64})
    assert_problem(answer, 413, "payload-too-large")


@pytest.fixture
def owned(
    live: Deployment, redeployed: Callable[[dict[str, str]], AbstractContextManager[Call]]
) -> Iterator[Deployment]:
    """The same behind a gateway that tells who calls."""
    with redeployed(live.variables | {"BEHIND_GATEWAY": "true"}) as call:
        yield Deployment(call)


def test_anothers_upload_answers_like_one_that_never_was(owned: Deployment) -> None:
    """Word for word; whose it is may use it, and the link to its result is that caller's too."""
    alice, bob = {CALLER.replace("-", "_"): "alice"}, {CALLER.replace("-", "_"): "bob"}
    upload = uploaded(owned, json_of([owned.features]), **alice)
    theirs, never = (
        assert_problem(owned.post(BATCH, {"upload": one}, **bob), 404, "upload-not-found")
        for one in (upload, upload[:-16] + "0" * 16)
    )
    assert {**theirs, "request_id": ""} == {**never, "request_id": ""}
    assert owned.post(BATCH, {"upload": upload}, **alice).status == 202


def test_a_bucket_that_is_away_is_503(
    live: Deployment, redeployed: Callable[[dict[str, str]], AbstractContextManager[Call]]
) -> None:
    """With a time to come back; a repetition of what was accepted has its answer all the same."""
    upload = {"upload": uploaded(live, json_of([live.features]))}
    key = uuid.uuid4().hex
    first = live.post(BATCH, upload, idempotency_key=key)
    nowhere = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}"}
    with redeployed(live.variables | nowhere) as call:
        away = Deployment(call)
        assert_problem(away.post(BATCH, upload), 503, "payloads-unavailable")
        other = uuid.uuid4().hex
        assert_problem(away.post(BATCH, upload, idempotency_key=other), 503, "payloads-unavailable")
        assert away.post(BATCH, upload, idempotency_key=key).body == first.body
    again = live.post(BATCH, upload, idempotency_key=other)
    assert (again.status, again.body == first.body) == (202, False)


def test_without_a_bucket_no_upload_can_be_named(silent: Deployment) -> None:
    """404, as `POST /uploads` there: to try again would not help."""
    only_where_there_is_no_bucket(silent)
    problem = assert_problem(silent.post(BATCH, {"upload": "x"}), 404, "not-found")
    assert problem["detail"] == "This deployment takes no uploads."
