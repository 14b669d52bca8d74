"""A result over the inline limit: in the bucket before the job says that it has ended, whatever happens."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tandem.backplane.aws import aws_client
from tandem.backplane.bulk_scripts import parts_key
from tandem.backplane.claim_check import ClaimCheck
from tests.integration.aws.conftest import REGION, Aws
from tests.integration.worker.jobs import Jobs, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.integration.conftest import LiveWorker

pytestmark = pytest.mark.timeout(300)
BUCKET = "tandem-payloads"
LIMIT = 1_000
ROWS = [{"action": "echo", "count": row} for row in range(150)]


@pytest.fixture(scope="module", params=["redis", "rabbitmq"])
def worker(
    request: pytest.FixtureRequest,
    aws_server: Aws,
    live_worker: Callable[..., LiveWorker],
    redis_database: Callable[[], str],
) -> Iterator[LiveWorker]:
    """A worker that has the bucket and a small inline limit."""
    broker_url = redis_database() if request.param == "redis" else request.getfixturevalue("rabbitmq_vhost")()
    given = {"PAYLOAD_BUCKET": BUCKET, "MAX_INLINE_RESULT_BYTES": str(LIMIT), **aws_server.variables}
    made = live_worker(broker_url=broker_url, redis_url=redis_database(), **given)
    made.start_and_wait()
    yield made
    made.stop()


@pytest.fixture
def jobs(worker: LiveWorker, aws: Aws) -> Iterator[Jobs]:
    """Jobs for that worker, with an empty bucket."""
    del aws  # to be there, and forgotten afterwards
    with closing(aws_client("s3")) as client:
        client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    made = Jobs(worker.broker_url, worker.redis_url)
    made.settings = made.settings.model_copy(update={"payload_bucket": BUCKET})
    yield made
    made.store.close()


def counts_of(fetched: Any) -> list[int]:
    """Which rows were answered, in order."""
    return [prediction["output"]["count"] for prediction in fetched["predictions"]]


def test_a_result_over_the_limit_lies_in_the_bucket(jobs: Jobs) -> None:
    """All of it; the store keeps where, and a smaller one whole."""
    task = jobs.ended(jobs.submit(ROWS))
    assert task.state == "SUCCESS", task.error
    assert task.result is None
    assert task.kept is not None
    with closing(ClaimCheck(BUCKET)) as claims:
        fetched = httpx.get(claims.result_link(task.kept).url, timeout=10)
    assert counts_of(fetched.json()) == list(range(150))
    assert len(fetched.content) == task.kept.bytes > LIMIT
    small = jobs.ended(jobs.submit(ROWS[:2]))
    assert small.kept is None
    assert counts_of(small.result) == [0, 1]


def test_a_bucket_that_is_away_at_the_end_is_waited_for(jobs: Jobs, aws: Aws) -> None:
    """What was predicted is kept meanwhile, and is not predicted again."""
    aws.stop()
    task_id = jobs.submit(ROWS)
    wait_for(lambda: jobs.read(task_id).done == len(ROWS), "the last row")
    assert not jobs.read(task_id).state.terminal
    aws.start()
    task = jobs.ended(task_id)
    assert (task.state, task.attempts) == ("SUCCESS", 1)
    with closing(ClaimCheck(BUCKET)) as claims:
        assert task.kept is not None
        assert counts_of(httpx.get(claims.result_link(task.kept).url, timeout=10).json()) == list(range(150))
    wait_for(lambda: not jobs.store.exists(parts_key(task_id)), "the end of the parts")


def test_a_job_that_expires_before_the_bucket_is_back_ends(jobs: Jobs, aws: Aws) -> None:
    """By its expiry, as every task; nothing waits for ever."""
    aws.stop()
    task = jobs.ended(jobs.submit(ROWS, expires_in=3))
    assert task.state == "REVOKED"
    assert task.kept is None
