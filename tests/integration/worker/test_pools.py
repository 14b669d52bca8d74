"""The same promises in every pool and on both brokers: real workers, and a Celery client of a user's own."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pytest
import redis

from tandem.backplane.broker import BrokerConnection
from tandem.backplane.match_store import publish_matches
from tandem.backplane.message import HEADER, Message, delivery_header, task_body, task_headers
from tandem.backplane.model_cards import CARDS
from tandem.backplane.task_scripts import record_key
from tandem.backplane.topology import NORMAL, SYNC
from tandem.schemas.match import Match
from tandem.schemas.model_card import ModelCard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from celery import Celery

    from tests.integration.conftest import LiveWorker

pytestmark = pytest.mark.timeout(400)

ANSWER_SECONDS = 30
FEATURES = {"home_elo": 1650.0, "away_elo": 1450.0, "rest_days": 6.0}

HOSTS = [
    ("redis", "prefork"),
    ("redis", "threads"),
    ("redis", "gevent"),
    ("redis", "solo"),
    ("rabbitmq", "prefork"),
    ("rabbitmq", "solo"),
    ("rabbitmq", "threads"),
    ("rabbitmq", "gevent"),
]


@pytest.fixture(scope="module", params=HOSTS, ids="-".join)
def worker(
    request: pytest.FixtureRequest,
    live_worker: Callable[..., LiveWorker],
    redis_database: Callable[[], str],
) -> Iterator[LiveWorker]:
    """A ready worker of one pool on one broker."""
    broker, pool = request.param
    broker_url = redis_database() if broker == "redis" else request.getfixturevalue("rabbitmq_vhost")()
    concurrency = 1 if pool == "solo" else 2
    made = live_worker(broker_url=broker_url, redis_url=redis_database(), pool=pool, concurrency=concurrency)
    made.start_and_wait()
    yield made
    made.stop()


@pytest.fixture
def client(worker: LiveWorker, client_of: Callable[[LiveWorker], Celery]) -> Celery:
    """A user's own Celery client."""
    return client_of(worker)


@pytest.fixture
def store(worker: LiveWorker) -> Iterator[redis.Redis]:
    """The worker's store."""
    with redis.Redis.from_url(worker.redis_url) as made:
        yield made


def send(client: Celery, task: str, *args: Any, **kwargs: Any) -> Any:
    """Send to `ml` as it is: `declare=[]`, for the queue is not the client's to declare."""
    return client.send_task(task, args=args, kwargs=kwargs, queue=NORMAL, declare=[])


def test_a_users_own_client_gets_the_prediction(client: Celery) -> None:
    """`send_task` and `get` of a foreign Celery app give the contract's answer."""
    answer = send(client, "predict_match", features=FEATURES).get(timeout=ANSWER_SECONDS)
    prediction = answer["prediction"]
    assert answer["match_id"] is None
    assert prediction["predicted_class"] == 0
    assert prediction["outcome"] == "home_win"
    assert set(prediction["probabilities"]) == {"0", "1", "2"}
    assert sum(prediction["probabilities"].values()) == pytest.approx(1)
    assert prediction["model_name"] == "match-outcome"
    assert prediction["model_version"] == "1"
    assert len(prediction["model_run_id"]) == 32


def test_a_match_is_predicted_from_its_stored_features(client: Celery, store: redis.Redis) -> None:
    """With a match id alone, the features published for it are used, and the id is echoed."""
    today = datetime.now(UTC).date()
    match = Match(
        match_id=42, home_team="A", away_team="B", match_date=today, as_of=today, features=dict(FEATURES)
    )
    publish_matches(store, [match])
    answer = send(client, "predict_match", match_id=42).get(timeout=ANSWER_SECONDS)
    assert answer["match_id"] == 42
    assert answer["prediction"]["outcome"] == "home_win"


def test_old_features_are_refused(client: Celery, store: redis.Redis) -> None:
    """Features older than the set age end the task as a failure instead of being served."""
    day = date(2020, 1, 1)
    match = Match(
        match_id=43, home_team="A", away_team="B", match_date=day, as_of=day, features=dict(FEATURES)
    )
    publish_matches(store, [match])
    with pytest.raises(Exception, match="2020-01-01"):
        send(client, "predict_match", 43).get(timeout=ANSWER_SECONDS)


def test_a_client_is_told_every_bad_feature(client: Celery, store: redis.Redis) -> None:
    """Features that did not come through the edge are checked by the worker; the record names all."""
    result = send(client, "predict_match", features={"home_elo": "high", "rest_days": None})
    with pytest.raises(Exception, match="does not fit"):
        result.get(timeout=ANSWER_SECONDS)
    problem = json.loads(store.hget(record_key(result.id), "e") or b"")
    assert problem["type"] == "/problems/invalid-request"
    assert {tuple(error["loc"]) for error in problem["errors"]} == {
        ("features", "home_elo"),
        ("features", "away_elo"),
        ("features", "rest_days"),
    }
    assert "high" not in json.dumps(problem)


def test_arguments_that_no_task_takes_are_a_failure(client: Celery) -> None:
    """A misspelt argument ends the task with its name, instead of leaving the client to wait for ever."""
    result = send(client, "predict", model="probe", featurs={"action": "echo"})
    with pytest.raises(Exception, match="does not fit"):
        result.get(timeout=ANSWER_SECONDS)


def test_any_other_model_answers_under_output(client: Celery) -> None:
    """A model of any signature: missing optional values are missing, NaN is null, times are text."""
    answer = send(client, "predict", "probe", {"action": "echo", "at": "2026-04-25T12:30:00Z"})
    prediction = answer.get(timeout=ANSWER_SECONDS)["prediction"]
    assert prediction["output"] == {
        "echo": "echo",
        "seconds": None,
        "count": -1,
        "at": "2026-04-25T12:30:00",
        "python": 3,
    }
    assert (prediction["model_name"], prediction["model_version"]) == ("probe", "1")


def test_a_model_that_raises_is_a_failure(client: Celery, store: redis.Redis) -> None:
    """What a model raises ends its task as model-error, without the text of the exception."""
    result = send(client, "predict", "probe", {"action": "raise"})
    with pytest.raises(Exception, match="raised ValueError"):
        result.get(timeout=ANSWER_SECONDS)
    problem = json.loads(store.hget(record_key(result.id), "e") or b"")
    assert problem["type"] == "/problems/model-error"
    assert "as asked" not in json.dumps(problem)


def test_a_model_nobody_serves_is_a_failure(client: Celery) -> None:
    """A message for an unknown model ends; it is not sent round and round."""
    with pytest.raises(Exception, match="serves no model"):
        send(client, "predict", "no-such-model", {"x": 1}).get(timeout=ANSWER_SECONDS)


def test_many_tasks_all_end(client: Celery) -> None:
    """Good and bad tasks among each other each end in their own way."""
    results = [
        send(client, "predict", "probe", {"action": "raise" if number % 5 == 0 else "echo", "count": number})
        for number in range(40)
    ]
    for number, result in enumerate(results):
        if number % 5 == 0:
            with pytest.raises(Exception, match="raised ValueError"):
                result.get(timeout=ANSWER_SECONDS)
        else:
            answer = result.get(timeout=ANSWER_SECONDS)
            assert answer["prediction"]["output"]["count"] == number


def test_a_message_of_the_functions_is_answered_on_its_channel(
    worker: LiveWorker, store: redis.Redis
) -> None:
    """With our own header the result document goes to the caller's channel, and Celery's copy is the same."""
    task_id = str(uuid.uuid4())
    channel = f"tandem:replies:test-{task_id}"
    delivery = delivery_header(submitted_ms=1, accepted=False, reply_to=channel)
    with store.pubsub(ignore_subscribe_messages=True) as replies:  # type: ignore[no-untyped-call]
        replies.subscribe(channel)
        replies.get_message(timeout=5)
        _publish(worker, "predict_match", task_id, delivery, {"match_id": 7, "alias": "champion"})
        reply = None
        for _ in range(ANSWER_SECONDS):
            reply = reply or replies.get_message(timeout=1)
    assert reply is not None
    meta = json.loads(reply["data"])
    assert meta["status"] == "SUCCESS"
    assert meta["result"]["match_id"] == 7
    assert json.loads(store.get(f"celery-task-meta-{task_id}") or b"") == meta


def test_a_caller_who_left_is_not_worked_for(worker: LiveWorker, client: Celery, store: redis.Redis) -> None:
    """A message whose deadline has passed is acknowledged and never run."""
    task_id = str(uuid.uuid4())
    delivery = delivery_header(submitted_ms=1, deadline_ms=2, accepted=False)
    _publish(worker, "predict_match", task_id, delivery, {"match_id": None, "alias": "champion"})
    send(client, "predict_match", features=FEATURES).get(timeout=ANSWER_SECONDS)
    assert store.hget(record_key(task_id), "s") in {b"REVOKED", None}
    assert store.hget(record_key(task_id), "b") is None


def test_the_worker_tells_what_it_has_loaded(worker: LiveWorker, store: redis.Redis) -> None:
    """Card and heartbeat say which versions are in memory, with metrics, signature and an example."""
    card = ModelCard.model_validate_json(store.hget(CARDS, "match-outcome@champion") or b"")
    assert card.metrics == {"log_loss": 0.98}
    assert [column["name"] for column in card.inputs] == list(FEATURES)
    assert set(card.input_example or {}) == set(FEATURES)
    assert card.loaded_by == worker.node
    heartbeat = worker.heartbeat()
    assert heartbeat is not None
    assert heartbeat.models == {"match-outcome@champion": "1", "probe@champion": "1"}
    assert heartbeat.concurrency in {1, 2}
    assert store.hget(CARDS, "damaged@champion") is None


def _publish(
    worker: LiveWorker, task: str, task_id: str, delivery: dict[str, Any], kwargs: dict[str, Any]
) -> None:
    headers = task_headers(task, task_id, delivery)
    assert HEADER in headers
    connection = BrokerConnection(worker.broker_url, 1000)
    try:
        queue = SYNC if not delivery["accepted"] else NORMAL
        body = task_body(kwargs, json.dumps(FEATURES).encode())
        assert connection.publish([Message(task_id, queue, body, headers, durable=False)]) == {}
    finally:
        connection.close()
