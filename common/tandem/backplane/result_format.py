"""A task's end, as Celery's Redis result backend writes it, so that `AsyncResult(id).get()` reads it.

The answer stands last in the document, as the worker wrote it, so that the edge passes its bytes on
without reading them. Format: celery/backends/base.py `_get_result_meta` (Celery 5.7).
"""

import json
from datetime import UTC, datetime
from typing import Any

from tandem.backplane.errors import TandemError, problem_of
from tandem.schemas.task import KeptResult

_RESULT = b', "result": '
_KEPT = "kept_in_bucket"


def _head(task_id: str, status: str) -> bytes:
    done = datetime.now(UTC).isoformat()
    return (
        f'{{"task_id": {json.dumps(task_id)}, "status": "{status}", "date_done": "{done}"'
        ', "traceback": null, "children": []}'
    ).encode()


def success_meta(task_id: str, result_json: bytes) -> bytes:
    """Document of a task that ended well; `result_json` is the answer, already JSON."""
    return b"".join((_head(task_id, "SUCCESS")[:-1], _RESULT, result_json, b"}"))


def kept_json(kept: KeptResult) -> bytes:
    """The answer in place of one that lies in the bucket."""
    return json.dumps({_KEPT: kept.model_dump()}).encode()


def kept_of(result_json: bytes | None) -> KeptResult | None:
    """Where the answer lies, if this is what `kept_json` wrote; no other has that one member alone."""
    if result_json is None or not result_json.startswith(f'{{"{_KEPT}": '.encode()):
        return None  # unread, for it may have megabytes
    result = json.loads(result_json)
    return KeptResult.model_validate(result[_KEPT]) if result.keys() == {_KEPT} else None


def failure_meta(task_id: str, error: TandemError) -> bytes:
    """Document of a task that failed: Celery's exception form, and the problem object beside it."""
    document = json.loads(_head(task_id, "FAILURE"))
    document["problem"] = problem_of(error)
    document["result"] = {
        "exc_type": type(error).__name__,
        "exc_message": error.arguments,
        "exc_module": type(error).__module__,
    }
    return json.dumps(document).encode()


def succeeded(meta: bytes) -> bool:
    """Whether this is the document of a success, told from its fixed place without parsing."""
    return meta.find(b'", "status": "SUCCESS", ', 0, meta.find(_RESULT)) >= 0


def result_json_of(meta: bytes) -> bytes:
    """The answer's own bytes, out of a document that `success_meta` wrote."""
    return meta[meta.index(_RESULT) + len(_RESULT) : -1]


def problem_of_meta(meta: bytes) -> dict[str, Any]:
    """The problem object out of a document that `failure_meta` wrote (or of a revocation)."""
    document = json.loads(meta)
    problem = document.get("problem")
    if isinstance(problem, dict):
        return problem
    reason = document.get("result", {}).get("exc_message", ["unknown"])[0]
    return {
        "type": "/problems/task-revoked",
        "title": "The task ended early",
        "status": 409,
        "detail": reason,
    }
