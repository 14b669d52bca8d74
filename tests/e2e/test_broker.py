"""The broker's queues are those of definitions.json before anybody has declared one."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.composition import Composition
from local.definitions import PATH

pytestmark = pytest.mark.e2e


@pytest.fixture
def broker(project: str) -> Iterator[str]:
    """A broker without anything beside it; the name of its container."""
    alone = Composition(Path(__file__).parents[2], f"{project}-broker", {"COMPOSE_PROFILES": ""})
    try:
        alone.up("rabbitmq")
        yield alone.containers("rabbitmq")[0]
    finally:
        alone.down()


def test_a_broker_that_nobody_has_used_has_every_queue(broker: str) -> None:
    """Name by name, with the kind that the topology says."""
    command = [
        "docker",
        "exec",
        broker,
        "rabbitmqctl",
        "-q",
        "list_queues",
        "name",
        "type",
        "--formatter",
        "json",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    found = {queue["name"]: queue["type"].rpartition("_")[2] for queue in json.loads(done.stdout)}
    wanted = json.loads(PATH.read_text())["queues"]
    assert found == {queue["name"]: queue["arguments"]["x-queue-type"] for queue in wanted}
