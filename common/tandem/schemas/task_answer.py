"""A task as its caller reads it (docs/01-contract.md): times in RFC 3339, durations in seconds."""

from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel

from tandem.schemas.task import TaskRecord, TaskState


class Progress(BaseModel):
    """Rows done of all rows."""

    done: int
    total: int


class ResultLink(BaseModel):
    """Where to GET a result as JSON, until when, and how long it is. It takes no API key."""

    url: str
    expires_at: str
    bytes: int


class TaskStatusAnswer(BaseModel):
    """State and result of a task; what is not known yet is null."""

    task_id: str
    status: TaskState
    result: Any
    """As the synchronous answer has it, when the status is SUCCESS and there is no `result_link`."""
    result_link: ResultLink | None
    """In place of a result that is over the inline limit; another at each reading."""
    error: dict[str, Any] | None
    """A problem object, when the status is FAILURE or REVOKED."""
    submitted_at: str
    started_at: str | None
    finished_at: str | None
    expires_at: str
    attempts: int
    queue_seconds: float | None
    run_seconds: float | None
    progress: Progress


def rfc3339(milliseconds: int) -> str:
    """`milliseconds` since the epoch as "2026-04-25T14:00:00.125Z"."""
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def task_status_json(record: TaskRecord, link: ResultLink | None = None) -> bytes:
    """The answer for one record, as JSON, with the `link` to a result that is kept elsewhere.

    The result goes in unread, for it may have megabytes.
    """
    text = _without_result(record, link).model_dump_json().encode()
    if record.result_json is None:
        return text
    # No id can hold a quotation mark, and what stands before the result is an id and a state.
    return text.replace(b'"result":null', b'"result":' + record.result_json, 1)


def _without_result(record: TaskRecord, link: ResultLink | None) -> TaskStatusAnswer:
    return TaskStatusAnswer(
        task_id=record.task_id,
        status=record.state,
        result=None,
        result_link=link,
        error=record.error,
        submitted_at=rfc3339(record.submitted_ms),
        started_at=None if record.started_ms is None else rfc3339(record.started_ms),
        finished_at=None if record.finished_ms is None else rfc3339(record.finished_ms),
        expires_at=rfc3339(record.expires_ms),
        attempts=record.attempts,
        queue_seconds=_seconds(record.submitted_ms, record.started_ms),
        run_seconds=_seconds(record.started_ms, record.finished_ms),
        progress=Progress(done=record.done or 0, total=1 if record.total is None else record.total),
    )


def _seconds(start_ms: int | None, end_ms: int | None) -> float | None:
    """Seconds between two readings, never below zero: the first may be another machine's clock."""
    return None if start_ms is None or end_ms is None else max(0, end_ms - start_ms) / 1000
