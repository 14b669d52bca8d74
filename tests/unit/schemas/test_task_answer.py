"""A task as its caller reads it."""

import json

from tandem.schemas.task import TaskRecord, TaskState
from tandem.schemas.task_answer import TaskStatusAnswer, task_status_json


def test_times_are_rfc3339_and_durations_seconds() -> None:
    """A finished task has them all."""
    record = TaskRecord(
        task_id="a",
        state=TaskState.SUCCESS,
        submitted_ms=1_777_125_600_000,
        started_ms=1_777_125_600_004,
        finished_ms=1_777_125_600_006,
        expires_ms=1_777_212_000_000,
        attempts=1,
        done=1,
        total=1,
        result_json=b'{"match_id": 42}',
    )
    assert json.loads(task_status_json(record)) == {
        "task_id": "a",
        "status": "SUCCESS",
        "result": {"match_id": 42},
        "result_link": None,
        "error": None,
        "submitted_at": "2026-04-25T14:00:00.000Z",
        "started_at": "2026-04-25T14:00:00.004Z",
        "finished_at": "2026-04-25T14:00:00.006Z",
        "expires_at": "2026-04-26T14:00:00.000Z",
        "attempts": 1,
        "queue_seconds": 0.004,
        "run_seconds": 0.002,
        "progress": {"done": 1, "total": 1},
    }


def test_what_is_not_known_yet_is_null() -> None:
    """A waiting task has neither start nor end."""
    record = TaskRecord(task_id="a", state=TaskState.PENDING, submitted_ms=0, expires_ms=1)
    answer = TaskStatusAnswer.model_validate_json(task_status_json(record))
    assert (answer.started_at, answer.finished_at, answer.queue_seconds, answer.run_seconds) == (None,) * 4
    assert answer.progress.model_dump() == {"done": 0, "total": 1}


def test_two_clocks_never_make_a_negative_duration() -> None:
    """A caller's machine may be ahead of the store's."""
    record = TaskRecord(
        task_id="a", state=TaskState.STARTED, submitted_ms=2_000, started_ms=1_000, expires_ms=9_000
    )
    assert json.loads(task_status_json(record))["queue_seconds"] == 0
