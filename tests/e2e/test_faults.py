"""Containers killed under accepted work, and workers added and taken away: nothing accepted is lost."""

from __future__ import annotations

import contextlib
import subprocess
import threading
import time
from typing import TYPE_CHECKING

import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.composition import Composition

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]
TASKS = 300
END_SECONDS = 120
PAUSE_SECONDS = 0.03
TERMINAL = {"SUCCESS", "FAILURE", "REVOKED"}


class Load:
    """Submits tasks from several threads until there are enough, and knows what became of each request."""

    def __init__(self, url: str, match_id: int) -> None:
        self.accepted: list[str] = []
        self.refused: list[int] = []
        self._url = url
        self._body = {"match_id": match_id}
        self._enough = threading.Event()

    @contextlib.contextmanager
    def running(self, threads: int = 2) -> Iterator[None]:
        """Submit meanwhile, and afterwards until TASKS have been accepted."""
        submitters = [threading.Thread(target=self._submit, daemon=True) for _ in range(threads)]
        for submitter in submitters:
            submitter.start()
        try:
            yield
            self.wait_for(TASKS)
        finally:
            self._enough.set()
            for submitter in submitters:
                submitter.join(40)

    def wait_for(self, number: int) -> None:
        """Wait until so many have been accepted."""
        deadline = time.monotonic() + END_SECONDS
        while len(self.accepted) < number:
            assert time.monotonic() < deadline, f"{len(self.accepted)} accepted, refused: {set(self.refused)}"
            time.sleep(0.02)

    def _submit(self) -> None:
        with httpx.Client(base_url=self._url, timeout=35) as client:
            while not self._enough.wait(PAUSE_SECONDS):
                answer = client.post("/predict/async/", json=self._body)
                if answer.status_code == httpx.codes.ACCEPTED:
                    self.accepted.append(answer.json()["task_id"])
                else:
                    self.refused.append(answer.status_code)

    def ends(self) -> dict[str, int]:
        """How many of the accepted tasks ended how; one that does not within END_SECONDS counts as it is."""
        counts: dict[str, int] = {}
        deadline = time.monotonic() + END_SECONDS
        with httpx.Client(base_url=self._url, timeout=35) as client:
            for task_id in self.accepted:
                while (status := _status(client, task_id)) not in TERMINAL and time.monotonic() < deadline:
                    time.sleep(0.1)
                counts[status] = counts.get(status, 0) + 1
        return counts


def _status(client: httpx.Client, task_id: str) -> str:
    answer = client.get(f"/monitoring/task_status/{task_id}")
    return str(answer.json()["status"] if answer.is_success else answer.status_code)


@pytest.mark.parametrize("service", ["worker", "rabbitmq", "redis"])
def test_nothing_accepted_is_lost_with_a_killed_container(
    composition: Composition, gateway_url: str, match_id: int, service: str
) -> None:
    """SIGKILL in the midst of some hundred tasks, and a start: each id that was given ends in SUCCESS.

    Requests are refused meanwhile where broker or store is away; a 503 is no promise.
    """
    load = Load(gateway_url, match_id)
    [container] = composition.containers(service)
    with load.running():
        load.wait_for(TASKS // 3)
        subprocess.run(["docker", "kill", container], capture_output=True, timeout=60, check=True)
        subprocess.run(["docker", "start", container], capture_output=True, timeout=60, check=True)
    assert load.ends() == {"SUCCESS": len(load.accepted)}
    assert set(load.refused) <= {503}, service


def test_workers_come_and_go_without_a_failed_request(
    composition: Composition, gateway_url: str, match_id: int
) -> None:
    """From one to three and back under load: each request is accepted, each task ends in SUCCESS."""
    load = Load(gateway_url, match_id)
    with load.running():
        composition.scale("worker", 3)
        assert len(composition.containers("worker")) == 3
        composition.scale("worker", 1)
    assert load.refused == []
    assert load.ends() == {"SUCCESS": len(load.accepted)}
