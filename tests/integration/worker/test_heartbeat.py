"""What a worker says of itself is what its living processes have reported, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import redis

from tandem.backplane.model_cards import ALIVE_SECONDS, CARDS, WORKERS
from tandem.backplane.settings import Settings
from tandem.schemas.model_card import ModelCard, WorkerHeartbeat
from tests.unit.worker.loaded_models import card
from worker.heartbeat import Heartbeat
from worker.load_reports import LoadReport, LoadReports

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NODE = "worker@test"


@pytest.fixture
def settings(redis_database: Callable[[], str]) -> Settings:
    """An empty store."""
    return Settings(redis_url=redis_database())


@pytest.fixture
def store(settings: Settings) -> Iterator[redis.Redis]:
    """The store."""
    with redis.Redis.from_url(settings.redis_url) as made:
        yield made


@pytest.fixture
def reports(monkeypatch: pytest.MonkeyPatch) -> Iterator[LoadReports]:
    """The reports of the processes of this worker."""
    monkeypatch.setenv("TANDEM_LOAD_REPORTS", "")
    made = LoadReports.create()
    yield made
    made.remove()


@pytest.fixture
def ended() -> list[bool]:
    """Filled when the heartbeat ends the worker."""
    return []


@pytest.fixture
def heartbeat(settings: Settings, reports: LoadReports, ended: list[bool]) -> Iterator[Heartbeat]:
    """The heartbeat of a prefork worker."""
    made = Heartbeat(
        settings, reports, node=NODE, pool="prefork", concurrency=2, end_worker=lambda: ended.append(True)
    )
    yield made
    made.stop()


def claim(store: redis.Redis) -> WorkerHeartbeat | None:
    """What the store says of the worker."""
    text: Any = store.hget(WORKERS, NODE)
    return None if text is None else WorkerHeartbeat.model_validate_json(text)


def test_what_is_loaded_is_claimed(heartbeat: Heartbeat, reports: LoadReports, store: redis.Redis) -> None:
    """Card and heartbeat, by the clock of the store, which is the one that readers judge by."""
    reports.write([card("spam", "7")], {})
    heartbeat.beat()
    said = claim(store)
    assert said is not None
    assert (said.models, said.pool, said.concurrency) == ({"spam@champion": "7"}, "prefork", 2)
    now: Any = store.time()
    assert 0 <= now[0] - said.seen_ms / 1000 <= ALIVE_SECONDS
    text: Any = store.hget(CARDS, "spam@champion")
    assert ModelCard.model_validate_json(text) == card("spam", "7")


def test_before_anything_is_loaded_nothing_is_claimed(
    heartbeat: Heartbeat, store: redis.Redis, ended: list[bool]
) -> None:
    """No report, no claim; it may still come."""
    heartbeat.beat()
    assert claim(store) is None
    assert store.hlen(CARDS) == 0
    assert ended == []


def test_a_process_that_died_is_no_longer_claimed(
    heartbeat: Heartbeat, reports: LoadReports, store: redis.Redis, ended: list[bool]
) -> None:
    """While a lost process is replaced its models are nowhere, and the worker waits for the replacement."""
    reports.write([card("spam")], {})
    heartbeat.beat()
    _process_that_died(reports)
    heartbeat.beat()
    assert claim(store) is None
    assert ended == []


def test_a_worker_that_can_load_nothing_any_more_ends(
    heartbeat: Heartbeat, reports: LoadReports, store: redis.Redis, ended: list[bool]
) -> None:
    """The replacement reported that it could not load: whatever runs the worker starts it anew."""
    reports.write([], {"spam@champion": "gone from the registry"})
    heartbeat.beat()
    assert claim(store) is None
    assert ended == [True]


def test_a_store_that_forgot_is_told_again(
    heartbeat: Heartbeat, reports: LoadReports, store: redis.Redis
) -> None:
    """After a Redis without its data comes back, cards are there again with the next beat."""
    reports.write([card("spam")], {})
    heartbeat.beat()
    store.flushdb()
    heartbeat.beat()
    assert store.hexists(CARDS, "spam@champion")


def test_stopping_takes_the_claim_back(
    heartbeat: Heartbeat, reports: LoadReports, store: redis.Redis
) -> None:
    """At once, so that nobody counts on a worker that is going."""
    reports.write([card("spam")], {})
    heartbeat.beat()
    heartbeat.start()
    heartbeat.stop()
    assert claim(store) is None


def _process_that_died(reports: LoadReports) -> None:
    """Make this process's report that of one that is no more."""
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    process.wait(30)
    [own] = reports._directory.glob("*.json")
    report = LoadReport.model_validate_json(own.read_text()).model_copy(update={"pid": process.pid})
    own.unlink()
    (reports._directory / f"{process.pid}.json").write_text(report.model_dump_json())
