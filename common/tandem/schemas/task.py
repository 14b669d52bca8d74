"""The life of one task: its states, in Celery's words, and what is known of it at a moment."""

import json
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict


class TaskState(StrEnum):
    """`PENDING → STARTED → RETRY → SUCCESS | FAILURE | REVOKED`; the last three are terminal."""

    PENDING = "PENDING"
    STARTED = "STARTED"
    RETRY = "RETRY"
    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"
    REVOKED = "REVOKED"

    @property
    def terminal(self) -> bool:
        """Whether nothing more will happen."""
        return self in {TaskState.SUCCESS, TaskState.FAILURE, TaskState.REVOKED}


class KeptResult(BaseModel):
    """A result too large to be handed out, and where it lies in the bucket of payloads."""

    model_config = ConfigDict(frozen=True)

    key: str
    bytes: int


class TaskRecord(BaseModel):
    """What the store knows of a task. Times are milliseconds since the epoch, by the store's clock."""

    model_config = ConfigDict(frozen=True)

    task_id: str
    state: TaskState
    submitted_ms: int
    started_ms: int | None = None
    finished_ms: int | None = None
    expires_ms: int
    attempts: int = 0
    done: int | None = None
    total: int | None = None
    result_json: bytes | None = None
    """The answer as the worker wrote it, when the state is SUCCESS and it is not `kept`."""
    kept: KeptResult | None = None
    error: dict[str, Any] | None = None
    """A problem object, when the state is FAILURE or REVOKED."""

    @property
    def result(self) -> Any:
        """The answer, read; None where there is none to be handed out."""
        return None if self.result_json is None else json.loads(self.result_json)
