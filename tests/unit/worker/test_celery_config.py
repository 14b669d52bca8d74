"""The settings of delivery are Celery's own, by the names of the installed version."""

from __future__ import annotations

import pytest
from celery.app.defaults import DEFAULTS

from tandem.backplane.settings import Settings
from worker.celery_config import celery_config

REDIS = Settings(broker_url="redis://127.0.0.1:6379/1")


@pytest.mark.parametrize("settings", [Settings(), REDIS])
def test_every_name_is_known_to_celery(settings: Settings) -> None:
    """A misspelt or renamed setting would be silently without effect."""
    unknown = set(celery_config(settings)) - set(DEFAULTS) - {"redis_backend_health_check_interval"}
    assert unknown == set()


def test_a_redis_brokers_messages_come_back_soon_after_the_time_limit() -> None:
    """And never while a task may still run."""
    options = celery_config(REDIS)["broker_transport_options"]
    assert 60 < options["visibility_timeout"] <= 90
    assert options["queue_order_strategy"] == "priority"


def test_nothing_accepted_is_acknowledged_before_its_end() -> None:
    """Late acknowledgement; a lost process or an escaped exception is no end, a timeout is."""
    config = celery_config(Settings())
    assert config["task_acks_late"] is True
    assert config["task_reject_on_worker_lost"] is True
    assert config["task_acks_on_failure"] is False
    assert config["task_acks_on_timeout"] is True
    assert config["broker_connection_max_retries"] is None
    assert config["accept_content"] == ["json"]
