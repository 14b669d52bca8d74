"""Many messages as one: what each becomes, with a real store and models of the test's own."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import redis

from tandem.backplane.errors import StoreUnavailable
from tandem.backplane.model_cards import publish_cards
from tandem.backplane.settings import Settings
from tandem.backplane.task_attempts import TaskAttempts
from tandem.backplane.task_scripts import meta_key, record_key
from tests.unit.worker.loaded_models import Doubler, card, loaded_model
from worker.model_registry import ModelRegistry
from worker.predictor import Outcome, Predictor
from worker.retries import MAX_RETRIES
from worker.work import Work, work_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from local.private_redis import PrivateRedis

NAMES = ("model", "features", "alias", "match_id")


@pytest.fixture
def settings(redis_database: Callable[[], str]) -> Settings:
    """An empty store and short patience with poison."""
    return Settings(redis_url=redis_database(), max_attempts=2)


@pytest.fixture
def client(settings: Settings) -> Iterator[redis.Redis]:
    """The store."""
    with redis.Redis.from_url(settings.redis_url, socket_timeout=2) as made:
        yield made


@pytest.fixture
def pyfunc() -> Doubler:
    """The model served as `m`."""
    return Doubler()


@pytest.fixture
def predictor(settings: Settings, client: redis.Redis, pyfunc: Doubler) -> Predictor:
    """A predictor that serves `m` and `n`."""
    registry = ModelRegistry([loaded_model(pyfunc), loaded_model(Doubler(), "n")])
    return Predictor(registry, client, settings)


def ask(x: object, model: str = "m", task_id: str = "") -> Work:
    """A foreign client's message for a model of one double."""
    return work_of(task_id or str(uuid.uuid4()), None, NAMES, [], {"model": model, "features": {"x": x}})


def end_of(client: redis.Redis, work: Work) -> Any:
    """How the task ended: its output, or the type of its problem."""
    task_id = work.delivery.task_id
    error: Any = client.hget(record_key(task_id), "e")
    if error:
        return json.loads(error)["type"]
    meta: Any = client.get(meta_key(task_id))
    return json.loads(meta)["result"]["prediction"]["output"]


def test_a_batch_is_one_call_per_model(predictor: Predictor, client: redis.Redis, pyfunc: Doubler) -> None:
    """Messages for two models among each other: each model is called once, each task gets its own answer."""
    works = [ask(1), ask(10, "n"), ask(2), ask(20, "n"), ask(3)]
    assert predictor.execute(works) == [Outcome.ENDED] * 5
    assert [end_of(client, work) for work in works] == [2.0, 20.0, 4.0, 40.0, 6.0]
    assert pyfunc.batches == [3]


def test_a_row_that_makes_the_model_raise_fails_alone(
    predictor: Predictor, client: redis.Redis, pyfunc: Doubler
) -> None:
    """It is found by halving; the others of its batch succeed, and its text stays out of the answer."""
    works = [ask(x) for x in (1, 2, -3, 4, 5, 6, 7, 8)]
    predictor.execute(works)
    ends = [end_of(client, work) for work in works]
    assert ends == [2.0, 4.0, "/problems/model-error", 8.0, 10.0, 12.0, 14.0, 16.0]
    assert len(pyfunc.batches) <= 7
    assert b"secret" not in (client.get(meta_key(works[2].delivery.task_id)) or b"")


def test_bad_features_never_reach_the_model(
    predictor: Predictor, client: redis.Redis, pyfunc: Doubler
) -> None:
    """They end as invalid-request, beside the others that are predicted."""
    works = [ask("one"), ask(2), ask(None), ask(1, "unknown")]
    predictor.execute(works)
    assert [end_of(client, work) for work in works] == [
        "/problems/invalid-request",
        4.0,
        "/problems/invalid-request",
        "/problems/model-not-found",
    ]
    assert pyfunc.batches == [1]


def test_a_task_that_has_ended_is_not_run_again(predictor: Predictor, pyfunc: Doubler) -> None:
    """A second delivery of the same message is acknowledged and costs no prediction."""
    work = ask(1)
    predictor.execute([work])
    assert predictor.execute([work]) == [Outcome.ENDED]
    assert pyfunc.batches == [1]


def test_a_task_whose_attempts_are_spent_is_poison(
    predictor: Predictor, client: redis.Redis, settings: Settings, pyfunc: Doubler
) -> None:
    """Two workers died of it; the third does not try, tells the caller and dead-letters it."""
    work = ask(1)
    for _ in range(settings.max_attempts):
        TaskAttempts(client, settings).start([work.delivery])
    assert predictor.execute([work]) == [Outcome.POISON]
    assert end_of(client, work) == "/problems/poison-task"
    assert pyfunc.batches == []


def test_a_model_that_is_still_missing_after_the_last_try_is_a_failure(
    predictor: Predictor, client: redis.Redis, pyfunc: Doubler
) -> None:
    """Until then it is put off, more often than it may be started: what is put off does not count."""
    publish_cards(client, [card("elsewhere")])
    work = ask(1, "elsewhere")
    record = record_key(work.delivery.task_id)
    for tries in range(MAX_RETRIES):
        assert predictor.execute([replace(work, retries=tries)]) == [Outcome.RETRY]
        assert client.hget(record, "s") == b"RETRY"
    assert predictor.execute([replace(work, retries=MAX_RETRIES)]) == [Outcome.ENDED]
    assert client.hget(record, "s") == b"FAILURE"
    assert end_of(client, work) == "/problems/workers-unavailable"
    assert pyfunc.batches == []


def test_an_empty_batch_is_nothing(predictor: Predictor) -> None:
    """No work, no outcomes."""
    assert predictor.execute([]) == []


def test_a_store_that_comes_back_in_time_costs_nothing(
    predictor: Predictor, client: redis.Redis, redis_server: PrivateRedis
) -> None:
    """Killed before the start and up again soon: the task waits and ends, in its first attempt."""
    work = ask(1)
    redis_server.kill()
    redis_server.child.start()
    assert predictor.execute([work]) == [Outcome.ENDED]
    assert end_of(client, work) == 2.0
    assert client.hget(record_key(work.delivery.task_id), "n") == b"1"


def test_a_store_that_stays_away_is_said(
    client: redis.Redis, settings: Settings, redis_server: PrivateRedis
) -> None:
    """After its patience the predictor raises, so that nothing is acknowledged."""
    impatient = settings.model_copy(update={"task_time_limit_seconds": 1.0})
    predictor = Predictor(ModelRegistry(), client, impatient)
    redis_server.kill()
    try:
        with pytest.raises(StoreUnavailable):
            predictor.execute([ask(1)])
    finally:
        redis_server.start()
