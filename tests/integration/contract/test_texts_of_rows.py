"""Many rows as newline-delimited JSON or as CSV: what the same rows as JSON would have given."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tandem.schemas.batch import MAX_ROWS
from tests.integration.contract.deployment import Deployment, assert_problem, named
from tests.integration.contract.test_batches import PATHS, path_of
from tests.integration.contract.test_tasks import ended, submit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.integration.contract.calls import Answer

pytestmark = pytest.mark.timeout(300)
NDJSON, CSV = "application/x-ndjson", "text/csv"
SECRET = "s3cr3t"


def ndjson_of(rows: Sequence[dict[str, Any]]) -> bytes:
    """An object a line."""
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def csv_of(rows: Sequence[dict[str, Any]]) -> bytes:
    """A header and a record for each row of numbers."""
    lines = [",".join(rows[0]), *(",".join(str(value) for value in row.values()) for row in rows)]
    return "\r\n".join(lines).encode()


def post(deployment: Deployment, media_type: str, body: bytes, path: str = "/predict/batch/") -> Answer:
    """Send rows in the body itself."""
    return deployment.call("POST", path, headers={"content-type": media_type}, body=body)


def result_of(live: Deployment, answer: Answer) -> Any:
    """What becomes of an accepted job."""
    assert answer.status == 202, answer.body
    task = ended(live, answer.json()["status_url"]).json()
    assert task["status"] == "SUCCESS", task
    return task["result"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("media_type", "text_of"), [(NDJSON, ndjson_of), (CSV, csv_of), ("Text/CSV; charset=UTF-8", csv_of)]
)
def test_rows_as_text_are_the_same_job(live: Deployment, path: str, media_type: str, text_of: Any) -> None:
    """Accepted as rows in JSON are, with the same result."""
    rows = [dict.fromkeys(live.features, value) for value in (1.5, 2, 3.25)]
    answer = post(live, media_type, text_of(rows), path_of(live, path))
    assert answer.headers["location"] == answer.json()["status_url"]
    in_json = ended(live, submit(live, {"rows": rows}, "/predict/batch/")).json()["result"]
    assert result_of(live, answer) == in_json


def test_a_bad_line_fails_alone(live: Deployment) -> None:
    """Whether it is no JSON, no object or no row of the model; named by its number, without what it says."""
    first, *_ = live.features
    good = json.dumps(live.features).encode()
    wrong = json.dumps({**live.features, first: SECRET}).encode()
    lines = [good, b'{"a": ' + SECRET.encode(), b"[]", wrong, b"", good, b"", b""]
    answer = ended(live, post(live, NDJSON, b"\n".join(lines)).json()["status_url"])
    result = answer.json()["result"]
    assert [one is None for one in result["predictions"]] == [False, True, True, True, True, False]
    assert [fault["row"] for fault in result["errors"]] == [1, 2, 3, 4]
    assert [named(fault) for fault in result["errors"]] == [
        {("rows", 1)},
        {("rows", 2)},
        {("rows", 3, first)},
        {("rows", 4)},
    ]
    assert SECRET.encode() not in answer.body


def test_a_bad_record_fails_alone(live: Deployment) -> None:
    """Of another length, with a cell that is no number, with one that is missing."""
    first, *_ = live.features
    header, good = csv_of([live.features]).split(b"\r\n")
    cells = good.split(b",")
    records = [
        good,
        good + b",1",
        b",".join([SECRET.encode(), *cells[1:]]),
        b",".join([b"", *cells[1:]]),
        good,
    ]
    answer = ended(live, post(live, CSV, b"\n".join([header, *records])).json()["status_url"])
    result = answer.json()["result"]
    assert [one is None for one in result["predictions"]] == [False, True, True, True, False]
    assert [named(fault) for fault in result["errors"]] == [
        {("rows", 1)},
        {("rows", 2, first)},
        {("rows", 3, first)},
    ]
    assert SECRET.encode() not in answer.body


def test_a_header_that_does_not_fit_is_422(silent: Deployment) -> None:
    """It names the columns, those that are missing too; nothing is accepted."""
    first, *others = silent.features
    problem = assert_problem(post(silent, CSV, ",".join([*others, "colour"]).encode() + b"\n1"), 422)
    assert named(problem) == {("header", first), ("header", "colour")}


@pytest.mark.parametrize(
    ("media_type", "body", "loc"),
    [
        (NDJSON, b"", ("rows",)),
        (NDJSON, b"\n \n", ("rows",)),
        (NDJSON, b"{}\n" * (MAX_ROWS + 1), ("rows",)),
        (CSV, b"", ("header",)),
        (CSV, b"\xff\xfea", ("rows", 0)),
        (CSV, b'"a', ("rows", 0)),
    ],
    ids=["no line", "blank lines", "too many", "no header", "no UTF-8", "an open quote"],
)
def test_a_text_that_is_no_list_of_rows_is_422(
    silent: Deployment, media_type: str, body: bytes, loc: tuple[str | int, ...]
) -> None:
    """It is said what is missing."""
    assert named(assert_problem(post(silent, media_type, body), 422, "invalid-request")) == {loc}


def test_a_csv_of_no_records_is_422(silent: Deployment) -> None:
    """A header alone predicts nothing."""
    problem = assert_problem(post(silent, CSV, ",".join(silent.features).encode()), 422)
    assert named(problem) == {("rows",)}


@pytest.mark.parametrize("media_type", [NDJSON, CSV])
def test_a_text_over_the_limit_is_413(silent: Deployment, media_type: str) -> None:
    """The answer names the way for larger ones."""
    answer = post(silent, media_type, b"x" * 5_000_001)
    assert "/uploads" in assert_problem(answer, 413, "payload-too-large")["detail"]


def test_a_form_is_no_text_of_rows(silent: Deployment) -> None:
    """`curl --data-binary @rows.csv` without a media type is not taken for JSON."""
    answer = post(silent, "application/x-www-form-urlencoded", csv_of([silent.features]))
    assert_problem(answer, 415, "unsupported-media-type")
