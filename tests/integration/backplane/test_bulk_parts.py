"""The parts of a job in a real store: each row counted once, whoever writes it, and an end for every job."""

from __future__ import annotations

import asyncio
import json
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import redis

from tandem.backplane.bulk import accept_job, read_job
from tandem.backplane.bulk_parts import BulkParts, Chunk, Standing
from tandem.backplane.bulk_scripts import parts_key
from tandem.backplane.edge import Edge, wire
from tandem.backplane.errors import BrokerUnavailable, TaskNotFound
from tandem.backplane.model_cards import publish_cards
from tandem.backplane.settings import Settings
from tandem.backplane.task_attempts import Attempt, Delivery, TaskAttempts
from tandem.schemas.batch import BatchRequest
from tests.unit.worker.loaded_models import card

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from tandem.backplane.message import Message

pytestmark = pytest.mark.timeout(60)
TOTAL = 4


class Job:
    """A job of four rows in two chunks, as accepted, and what workers do to it."""

    def __init__(self, url: str) -> None:
        self.settings = Settings(redis_url=url, broker_url=url, max_attempts=2)
        self.store = redis.Redis.from_url(url)
        self.task_id = str(uuid.uuid4())
        self.parts = BulkParts(self.store, self.settings)
        self.attempts = TaskAttempts(self.store, self.settings)
        self.first = Chunk(self.task_id, 0, 2, TOTAL, 2)
        self.second = Chunk(self.task_id, 2, 4, TOTAL, 2)
        self.at_the_edge(lambda edge: edge.tasks.accept(self.task_id, 60, TOTAL))

    def at_the_edge(self, step: Callable[[Edge], Awaitable[Any]]) -> Any:
        """Do something as a function does."""

        async def run() -> Any:
            edge = wire(self.settings)
            try:
                return await step(edge)
            finally:
                await edge.close()

        return asyncio.run(run())

    def read(self) -> Any:
        """The record as the caller reads it."""
        return self.at_the_edge(lambda edge: edge.tasks.read(self.task_id))

    def write(self, chunk: Chunk, at: int, *values: int, errors: bytes = b"") -> Standing:
        """Write a part of these predictions."""
        return self.parts.add(chunk, at, len(values), json.dumps(values)[1:-1].encode(), errors)


@pytest.fixture
def job(redis_database: Callable[[], str]) -> Iterator[Job]:
    """A job that has been accepted."""
    made = Job(redis_database())
    yield made
    made.store.close()


def test_parts_come_together_in_the_order_of_the_rows(job: Job) -> None:
    """Whichever is written first; progress moves, and everything has an end."""
    assert job.read().state == "PENDING"
    assert job.parts.begin(job.second, "a") == Standing("run", 2)
    assert job.write(job.second, 2, 30, 40, errors=b'{"row": 3}') == Standing("written")
    assert (job.read().state, job.read().done, job.read().attempts) == ("STARTED", 2, 1)
    assert 0 < job.store.pttl(parts_key(job.task_id)) <= 60_000
    assert job.parts.begin(job.first, "b") == Standing("run", 0)
    assert job.write(job.first, 0, 10) == Standing("run", 1)
    assert job.parts.assembled(job.first) is None
    assert job.write(job.first, 1, 20, errors=b'{"row": 1}') == Standing("complete")
    result = job.parts.assembled(job.first)
    assert result is not None
    assert json.loads(result) == {"predictions": [10, 20, 30, 40], "errors": [{"row": 1}, {"row": 3}]}


def test_a_part_written_again_is_one_effect(job: Job) -> None:
    """By a lost answer's repetition, or by a worker that was thought dead, in other slices."""
    job.parts.begin(job.first, "a")
    assert job.write(job.first, 0, 10) == Standing("run", 1)
    assert job.write(job.first, 0, 10) == Standing("run", 1)
    assert job.write(job.first, 0, 10, 20) == Standing("run", 1)
    assert job.parts.begin(job.first, "b") == Standing("run", 1)
    assert job.write(job.first, 1, 20) == Standing("written")
    assert job.write(job.first, 1, 21) == Standing("written")
    assert job.read().done == 2
    job.write(job.second, 2, 30, 40)
    assert job.parts.assembled(job.first) == b'{"predictions": [10, 20, 30, 40], "errors": []}'


def test_a_worker_lost_before_the_assembly_leaves_it_to_the_next(job: Job) -> None:
    """A chunk delivered again, the last or another, finds all rows written; the job ends once."""
    job.write(job.first, 0, 10, 20)
    assert job.write(job.second, 2, 30, 40) == Standing("complete")
    for chunk in (job.second, job.first):
        assert job.parts.begin(chunk, "again") == Standing("complete")
    result = job.parts.assembled(job.second)
    assert result is not None
    attempt = Attempt(Delivery(job.task_id), 0)
    assert job.attempts.finish([(attempt, result)]) == [True]
    assert job.read().result["predictions"] == [10, 20, 30, 40]
    assert job.read().done == TOTAL
    job.parts.drop(job.second)
    assert job.parts.assembled(job.first) is None
    assert job.parts.begin(job.first, "late") == Standing("ended")
    assert job.attempts.finish([(attempt, b"{}")]) == [False]


def test_attempts_count_where_no_part_was_written(job: Job) -> None:
    """A repetition of one call does not; going on behind a part begins anew; then they are spent."""
    for mark in ("a", "a", "b", "b"):
        assert job.parts.begin(job.first, mark) == Standing("run", 0)
    assert job.read().attempts == 2
    job.write(job.first, 0, 10)
    assert job.parts.begin(job.first, "c") == Standing("run", 1)
    assert job.parts.begin(job.first, "d") == Standing("run", 1)
    assert job.parts.begin(job.first, "e") == Standing("spent", 1)


@pytest.mark.parametrize("how", ["canceled", "failed", "withdrawn"])
def test_a_job_that_has_ended_is_not_gone_on_with(job: Job, how: str) -> None:
    """Neither begun nor written to, and its parts are gone."""
    job.parts.begin(job.first, "a")
    job.write(job.first, 0, 10)
    if how == "canceled":
        job.at_the_edge(lambda edge: edge.tasks.cancel(job.task_id))
    elif how == "failed":
        job.attempts.fail(Delivery(job.task_id), BrokerUnavailable())
    else:
        job.store.delete(f"tandem:task:{job.task_id}")
    assert job.write(job.first, 1, 20) == Standing("ended")
    assert not job.store.exists(parts_key(job.task_id))
    assert job.parts.begin(job.second, "b") == Standing("ended")


def test_a_job_cut_otherwise_is_not_mixed_in(job: Job) -> None:
    """Its rows would not add up."""
    job.parts.begin(job.first, "a")
    assert job.parts.begin(Chunk(job.task_id, 0, 4, TOTAL, 4), "b") == Standing("ended")
    assert job.parts.begin(job.second, "c") == Standing("run", 2)


def test_a_result_over_the_bound_is_noticed_while_it_grows(job: Job) -> None:
    """Before it is put together; with a bucket the bound is that of what lies there."""
    half = int("1" * 600)
    job.parts = BulkParts(job.store, job.settings.model_copy(update={"max_inline_result_bytes": 1_000}))
    assert job.write(job.first, 0, half, 20).word == "written"
    assert job.write(job.second, 2, half, 40).word == "large"
    small = {"max_inline_result_bytes": 1_000, "payload_bucket": "payloads"}
    job.parts = BulkParts(job.store, job.settings.model_copy(update=small))
    assert job.parts.begin(job.second, "b").word == "complete"


class HalfwayPublisher:
    """Confirms some chunks, which a worker then begins at once, and knows nothing of the next."""

    def __init__(self, job: Job, confirmed: int) -> None:
        self._job = job
        self._left = confirmed

    async def publish(self, message: Message) -> None:
        """Confirm, or not."""
        if not self._left:
            raise BrokerUnavailable
        self._left -= 1
        ask = json.loads(message.body)[1]
        chunk = Chunk(message.task_id, ask["first"], ask["last"], ask["total"], ask["cut"])
        assert self._job.parts.begin(chunk, "a").word == "run"


def test_a_job_that_was_not_taken_whole_is_taken_back(job: Job) -> None:
    """Though a chunk of it has begun: what runs finds no task, and the id may be accepted anew."""
    publish_cards(job.store, [card()])
    task_id = str(uuid.uuid4())
    asked = BatchRequest(rows=[{"x": 1.0}] * 250)

    async def accept(edge: Edge, confirmed: int) -> None:
        publisher: Any = HalfwayPublisher(job, confirmed)
        wanted = await read_job(edge, asked, (await edge.catalog.read()).card("m", "champion"))
        edge = replace(edge, publisher=publisher)
        await accept_job(edge, wanted, task_id, queue="ml.bulk", expires_in_seconds=60, owner="")

    with pytest.raises(BrokerUnavailable):
        job.at_the_edge(lambda edge: accept(edge, 1))
    with pytest.raises(TaskNotFound):
        job.at_the_edge(lambda edge: edge.tasks.read(task_id))
    assert job.parts.add(Chunk(task_id, 0, 100, 250, 100), 0, 1, b"1", b"") == Standing("ended")
    job.at_the_edge(lambda edge: accept(edge, 3))
    assert job.at_the_edge(lambda edge: edge.tasks.read(task_id)).total == 250
