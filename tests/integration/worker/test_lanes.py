"""The lane of waiting callers, with a real worker on both brokers: a flood does not delay it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
import redis

from tandem.backplane.task_scripts import meta_key
from tandem.backplane.topology import BULK, NORMAL, SYNC

if TYPE_CHECKING:
    from collections.abc import Callable

    from celery import Celery

    from local.private_rabbitmq import PrivateRabbitmq
    from tests.integration.conftest import LiveWorker

pytestmark = pytest.mark.timeout(300)

FLOOD = 12
ANSWER_SECONDS = 90
SLOW: dict[str, Any] = {"model": "probe", "features": {"action": "sleep", "seconds": 0.3}}
FAST: dict[str, Any] = {"features": {"home_elo": 1600.0, "away_elo": 1500.0, "rest_days": 4.0}}


@pytest.mark.parametrize("broker", ["redis", "rabbitmq"])
def test_a_waiting_caller_is_not_held_up_by_a_flood(
    broker: str,
    request: pytest.FixtureRequest,
    live_worker: Callable[..., LiveWorker],
    redis_database: Callable[[], str],
    client_of: Callable[[LiveWorker], Celery],
) -> None:
    """What came last, in the lane of waiting callers, has ended while most of the flood before it has not."""
    broker_url = redis_database() if broker == "redis" else request.getfixturevalue("rabbitmq_vhost")()
    worker = live_worker(broker_url=broker_url, redis_url=redis_database(), pool="prefork")
    worker.start_and_wait()
    client = client_of(worker)
    flood = [client.send_task("predict", kwargs=SLOW, queue=NORMAL, declare=[]).id for _ in range(FLOOD)]
    waiting = client.send_task("predict_match", kwargs=FAST, queue=SYNC, declare=[]).id
    with redis.Redis.from_url(worker.redis_url) as store:
        wait_for(store, [waiting])
        ended_before = store.exists(*map(meta_key, flood))
        assert ended_before < FLOOD / 2
        wait_for(store, flood)
    worker.stop()


def test_callers_have_a_channel_of_their_own_and_both_are_acknowledged(
    live_worker: Callable[..., LiveWorker],
    rabbitmq_vhost: Callable[[], str],
    rabbitmq_server: PrivateRabbitmq,
    redis_database: Callable[[], str],
    client_of: Callable[[LiveWorker], Celery],
) -> None:
    """Nothing is left with the broker after mixed batches; a lane that somebody deleted is there again."""
    worker = live_worker(broker_url=rabbitmq_vhost(), redis_url=redis_database(), pool="solo")
    worker.start_and_wait()
    client = client_of(worker)
    lanes = [NORMAL, NORMAL, SYNC] * 40
    asked = [
        client.send_task("predict_match", kwargs=FAST, queue=lane, declare=[]).id for lane in [*lanes, SYNC]
    ]
    with redis.Redis.from_url(worker.redis_url) as store:
        wait_for(store, asked)

    def listed(*what: str) -> dict[str, str]:
        vhost = worker.broker_url.rpartition("/")[2]
        lines = rabbitmq_server.ctl("--quiet", *what[:1], "-p", vhost, "--no-table-headers", *what[1:])
        return dict(line.split("\t") for line in lines.splitlines())

    channels = listed("list_consumers", "queue_name", "channel_pid")
    assert channels[SYNC] not in {channels[NORMAL], channels[BULK]}
    deadline = time.monotonic() + ANSWER_SECONDS
    while {listed("list_queues", "name", "messages")[lane] for lane in (SYNC, NORMAL)} != {"0"}:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    rabbitmq_server.ctl("delete_queue", "-p", worker.broker_url.rpartition("/")[2], SYNC)
    while SYNC not in listed("list_consumers", "queue_name", "channel_pid"):
        assert time.monotonic() < deadline, "the lane is not consumed again"
        time.sleep(0.2)
    again = client.send_task("predict_match", kwargs=FAST, queue=SYNC, declare=[]).id
    with redis.Redis.from_url(worker.redis_url) as store:
        wait_for(store, [again])
    worker.stop()


def wait_for(store: redis.Redis, task_ids: list[str]) -> None:
    """Wait until all these tasks have ended."""
    deadline = time.monotonic() + ANSWER_SECONDS
    while store.exists(*map(meta_key, task_ids)) < len(task_ids):
        assert time.monotonic() < deadline
        time.sleep(0.02)
