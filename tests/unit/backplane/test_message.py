"""A message of ours is a message of Celery's, and one header more."""

import json
from typing import Any

import pytest
from celery import Celery
from celery.worker.request import Request
from kombu import Connection, Queue

from tandem.backplane.message import HEADER, delivery_header, task_body, task_headers

TASK_ID = "9b3d6a0e-6f2c-4e57-9c0f-1d2f3a4b5c6d"
TASK = "test.echo"
SAYING_NOTHING: dict[str, Any] = {
    "shadow": None,
    "eta": None,
    "expires": None,
    "group_index": None,
    "timelimit": [None, None],
    "replaced_task_nesting": 0,
    "stamped_headers": None,
    "stamps": {},
}
"""Optional headers as Celery's client writes them where nothing is asked for."""
FEATURES = b'{"home_elo": 1712.4, "neutral": false, "league": "\\u00c9lite"}'


@pytest.fixture
def app() -> Celery:
    """An application of Celery's own, with a task that gives its arguments back."""
    made = Celery("test", broker="memory://", backend="cache+memory://", set_as_current=False)

    @made.task(name=TASK, shared=False)
    def echo(*args: object, **kwargs: object) -> list[object]:
        return [list(args), kwargs]

    return made


def ours() -> tuple[dict[str, Any], bytes]:
    """Headers and body of a message as the edge makes it."""
    headers = task_headers(TASK, TASK_ID, delivery_header(submitted_ms=1, reply_to="channel"))
    return headers, task_body({"match_id": 42, "alias": "champion"}, FEATURES)


def test_headers_are_celerys_and_one_of_our_own(app: Celery) -> None:
    """Same keys, same types; what differs and what is left out is said here."""
    headers, _ = ours()
    theirs = app.amqp.as_task_v2(TASK_ID, TASK, (), {"match_id": 42}).headers
    assert set(headers) - set(theirs) == {HEADER}
    assert {name: theirs[name] for name in set(theirs) - set(headers)} == SAYING_NOTHING
    shared = {name: value for name, value in theirs.items() if name in headers}
    for name, value in shared.items():
        assert type(headers[name]) is type(value), name
    differing = {name for name, value in shared.items() if headers[name] != value}
    # Arguments are never repeated in headers, and the worker writes its results itself.
    assert differing <= {"argsrepr", "kwargsrepr", "ignore_result", "origin"}
    assert headers["argsrepr"] == headers["kwargsrepr"] == "-"
    assert headers["ignore_result"] is True


def test_the_body_is_what_celery_would_write(app: Celery) -> None:
    """Arguments, keyword arguments and an embed that chains nothing."""
    kwargs = {"match_id": 42, "alias": "champion", "features": json.loads(FEATURES)}
    args, theirs, embed = app.amqp.as_task_v2(TASK_ID, TASK, (), kwargs).body
    assert json.loads(ours()[1]) == [list(args), theirs, embed]


def test_features_go_on_as_they_came() -> None:
    """The checked bytes of the caller stand in the body unchanged, with and without other arguments."""
    assert FEATURES in ours()[1]
    assert json.loads(task_body({}, FEATURES))[1] == {"features": json.loads(FEATURES)}
    assert json.loads(task_body({"match_id": None}, b"null"))[1] == {"match_id": None, "features": None}


def request_of(app: Celery, headers: dict[str, Any], body: bytes) -> Request:
    """What a worker of Celery's own makes of a message: received over a kombu transport."""
    with Connection("memory://") as connection:
        queue = Queue("ml")(connection.default_channel)
        queue.declare()
        connection.Producer().publish(
            body,
            routing_key="ml",
            headers=headers,
            content_type="application/json",
            content_encoding="utf-8",
            correlation_id=TASK_ID,
        )
        message = queue.get(no_ack=True)
        assert message is not None
        return Request(message, app=app, task=app.tasks[TASK])


def test_a_worker_of_celerys_own_decodes_and_runs_it(app: Celery) -> None:
    """Received, made a request of, executed."""
    request = request_of(app, *ours())
    assert (request.id, request.name, request.correlation_id) == (TASK_ID, TASK, TASK_ID)
    assert request.request_dict[HEADER]["reply_to"] == "channel"
    kwargs = {"match_id": 42, "alias": "champion", "features": json.loads(FEATURES)}
    assert app.tasks[TASK](*request.args, **request.kwargs) == [[], kwargs]
    assert request.execute() == [[], kwargs]


@pytest.mark.parametrize(
    "name",
    ["name", "eta", "expires", "group_index", "stamps", "stamped_headers", "replaced_task_nesting"],
)
def test_what_a_header_left_out_would_have_said(app: Celery, name: str) -> None:
    """A worker reads the same where it is not there."""
    headers, body = ours()
    theirs = app.amqp.as_task_v2(TASK_ID, TASK, (), {}).headers
    assert getattr(request_of(app, headers, body), name) == getattr(request_of(app, theirs, body), name)


def test_no_time_limits_of_its_own(app: Celery) -> None:
    """The worker's hold."""
    assert request_of(app, *ours()).time_limits == (None, None)
