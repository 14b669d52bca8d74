"""Alive, and able to serve."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.integration.contract.deployment import Deployment

pytestmark = pytest.mark.timeout(300)


@pytest.mark.parametrize("path", ["/health/live", "/health/live/"])
def test_alive(live: Deployment, path: str) -> None:
    """The process answers."""
    answer = live.call("GET", path)
    assert answer.status == 200
    assert answer.json() == {"status": "alive"}


@pytest.mark.parametrize("path", ["/health/ready", "/health/ready/", "/healthcheck/", "/healthcheck"])
def test_able_to_serve(live: Deployment, path: str) -> None:
    """Broker, store and a worker with the model answered."""
    answer = live.call("GET", path)
    assert answer.status == 200
    assert answer.json() == {"status": "ready", "checks": {"broker": "ok", "store": "ok", "workers": "ok"}}


def test_every_answer_has_an_id(live: Deployment) -> None:
    """The one its log line has."""
    assert live.call("GET", "/health/live").headers["x-request-id"]
