"""Every error Tandem raises on purpose, with the status and problem type its caller sees.

TandemError
├── SettingsError                     a process stops at start
├── RequestError                      the caller's fault
│   ├── InvalidJson            400 invalid-json
│   ├── PayloadTooLarge        413 payload-too-large
│   ├── UnsupportedMediaType   415 unsupported-media-type
│   ├── InvalidRequest         422 invalid-request      (names every field)
│   ├── NotAuthenticated       401 not-authenticated    (no key, or one that is nobody's)
│   ├── NotAllowed             403 not-allowed          (a disabled key)
│   ├── NotFound               404 not-found
│   │   ├── MatchNotFound      404 match-not-found
│   │   ├── ModelNotFound      404 model-not-found
│   │   ├── TaskNotFound       404 task-not-found
│   │   └── UploadNotFound     404 upload-not-found
│   ├── ResultGone             410 result-gone
│   ├── UploadExpired          410 upload-expired
│   └── RequestInProgress      409 request-in-progress  (an idempotency key still being accepted)
├── Unavailable                       ours, and it passes: always with Retry-After
│   ├── BrokerUnavailable      503 broker-unavailable
│   │   ├── BrokerBlocked      503 broker-unavailable   (a resource alarm)
│   │   └── QueueMissing       503 broker-unavailable
│   ├── QueueFull              503 queue-full
│   ├── StoreUnavailable       503 store-unavailable
│   ├── WorkersUnavailable     503 workers-unavailable
│   │   └── ModelNotLoaded     503 workers-unavailable  (served, but not by the worker that had the task)
│   ├── SecretUnavailable      503 secret-unavailable
│   ├── PayloadsUnavailable    503 payloads-unavailable (the bucket)
│   └── StaleFeatures          503 stale-features
├── DeadlinePassed             504 deadline-passed
├── ModelError                 502 model-error          (the model raised)
├── PoisonTask                 502 poison-task          (ended its worker, or could not be read)
├── TaskTimedOut               502 task-timed-out       (ran longer than the time limit)
└── TaskRevoked                409 task-revoked         (canceled or expired while its caller waited)

Raised deep, translated in two places only: `backplane/problems.py` (HTTP) and the worker's task
boundary (`worker/tasks.py`, and `worker/bulk.py` for chunks of a job).
What a model itself raises, which can be anything, becomes a ModelError in `worker/model_code.py`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar


class TandemError(Exception):
    """Anything Tandem raises on purpose; the text is safe to show to a caller."""

    status: ClassVar[int] = 500
    type: ClassVar[str] = "internal-error"
    title: ClassVar[str] = "Internal error"

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title

    @property
    def members(self) -> dict[str, Any]:
        """Further members of the problem object."""
        return {}

    @property
    def arguments(self) -> list[Any]:
        """What makes this error again when its class is called with it, as a Celery client does."""
        return [self.detail]


class SettingsError(TandemError):
    """A setting is missing or wrong; the process stops with this one line."""


class RequestError(TandemError):
    """The request is at fault; sending it again unchanged will not help."""

    status = 400


class InvalidJson(RequestError):
    """The body is not strict JSON (RFC 8259)."""

    type = "invalid-json"
    title = "The body is not valid JSON"


class PayloadTooLarge(RequestError):
    """The body is over the inline limit."""

    status = 413
    type = "payload-too-large"
    title = "The body is over the size limit"


class UnsupportedMediaType(RequestError):
    """The body is of a media type this route does not read."""

    status = 415
    type = "unsupported-media-type"
    title = "The media type is not supported"


class InvalidRequest(RequestError):
    """One or more fields do not fit the schema; `errors` names them all, without their values."""

    status = 422
    type = "invalid-request"
    title = "The request does not fit the schema"

    def __init__(self, errors: Sequence[Mapping[str, Any]], detail: str = "") -> None:
        super().__init__(detail)
        self.errors = [dict(error) for error in errors]

    @property
    def members(self) -> dict[str, Any]:
        """`errors`: a list of `{"loc": [...], "msg": "..."}`."""
        return {"errors": self.errors}

    @property
    def arguments(self) -> list[Any]:
        """The errors and the detail."""
        return [self.errors, self.detail]


class NotAuthenticated(RequestError):
    """Nobody is known by what was sent as a key, if anything was."""

    status = 401
    type = "not-authenticated"
    title = "A valid API key is needed"


class NotAllowed(RequestError):
    """The caller is known and may not."""

    status = 403
    type = "not-allowed"
    title = "Not allowed"


class NotFound(RequestError):
    """There is no such resource."""

    status = 404
    type = "not-found"
    title = "Not found"


class MatchNotFound(NotFound):
    """No features are stored for this match."""

    type = "match-not-found"
    title = "Unknown match"


class ModelNotFound(NotFound):
    """No worker has ever published this model at this alias."""

    type = "model-not-found"
    title = "Unknown model"


class TaskNotFound(NotFound):
    """The id never was, or is another caller's: the same answer for both."""

    type = "task-not-found"
    title = "Unknown task"


class UploadNotFound(NotFound):
    """Nothing was uploaded under this id (yet), or it is another caller's: the same answer."""

    type = "upload-not-found"
    title = "Unknown upload"


class ResultGone(RequestError):
    """The task ended, and its result is no longer kept."""

    status = 410
    type = "result-gone"
    title = "The result is no longer kept"


class UploadExpired(RequestError):
    """The upload can no longer be named."""

    status = 410
    type = "upload-expired"
    title = "The upload is over its time"


class RequestInProgress(RequestError):
    """The first request with this idempotency key is still being accepted."""

    status = 409
    type = "request-in-progress"
    title = "A request with this Idempotency-Key is in progress"


class Unavailable(TandemError):
    """Something this request needs is away; the same request can succeed later."""

    status = 503
    type = "unavailable"
    title = "Temporarily unavailable"
    retry_after_seconds: ClassVar[int] = 2


class BrokerUnavailable(Unavailable):
    """The broker did not confirm; whether it has the message is unknown, so retry with the same id."""

    type = "broker-unavailable"
    title = "The broker is not available"


class BrokerBlocked(BrokerUnavailable):
    """The broker takes no messages at present, being short of memory or disk."""


class QueueMissing(BrokerUnavailable):
    """The broker is up but has no such queue: its topology was not applied."""


class QueueFull(Unavailable):
    """The broker refused the message: the queue is at its length limit."""

    type = "queue-full"
    title = "The queue is full"
    retry_after_seconds = 5


class StoreUnavailable(Unavailable):
    """Redis did not answer in time."""

    type = "store-unavailable"
    title = "The store is not available"


class WorkersUnavailable(Unavailable):
    """No live worker has loaded the model."""

    type = "workers-unavailable"
    title = "No worker is available"
    retry_after_seconds = 5


class ModelNotLoaded(WorkersUnavailable):
    """The model is served, but no worker that had the task has loaded it."""


class SecretUnavailable(Unavailable):
    """A secret could not be read, and what it held before is too old."""

    type = "secret-unavailable"
    title = "Who may call is not known at present"
    retry_after_seconds = 5


class PayloadsUnavailable(Unavailable):
    """The bucket of large payloads did not answer, or not to us."""

    type = "payloads-unavailable"
    title = "Large payloads are not available"
    retry_after_seconds = 5


class StaleFeatures(Unavailable):
    """The stored features of this match are older than the set age."""

    type = "stale-features"
    title = "The stored features are too old"
    retry_after_seconds = 3600


class DeadlinePassed(TandemError):
    """The synchronous deadline passed; the problem names the task."""

    status = 504
    type = "deadline-passed"
    title = "The deadline passed before the prediction was ready"

    def __init__(self, task_id: str, status_url: str) -> None:
        super().__init__("The prediction was not ready in time; see status_url for what became of it.")
        self.task_id = task_id
        self.status_url = status_url

    @property
    def members(self) -> dict[str, Any]:
        """`task_id` and `status_url`."""
        return {"task_id": self.task_id, "status_url": self.status_url}

    @property
    def arguments(self) -> list[Any]:
        """The task id and the status URL."""
        return [self.task_id, self.status_url]


class ModelError(TandemError):
    """The model raised, or answered with something that cannot travel."""

    status = 502
    type = "model-error"
    title = "The model failed"


class PoisonTask(TandemError):
    """The task ended its worker each time it was tried, or could not be read; it is a dead letter now."""

    status = 502
    type = "poison-task"
    title = "The task could not be run"


class TaskTimedOut(TandemError):
    """The task ran longer than the time limit."""

    status = 502
    type = "task-timed-out"
    title = "The task ran too long"


class TaskRevoked(TandemError):
    """The task was canceled or expired before it was done."""

    status = 409
    type = "task-revoked"
    title = "The task was canceled or has expired"


PROBLEM_TYPE_PREFIX = "/problems/"


def problem_of(error: TandemError) -> dict[str, Any]:
    """The RFC 9457 members that say what went wrong: type, title, status, detail and the error's own."""
    return {
        "type": PROBLEM_TYPE_PREFIX + error.type,
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        **error.members,
    }
