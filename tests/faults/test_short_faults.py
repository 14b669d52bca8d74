"""The short form of the fault suite: some rows of the matrix on RabbitMQ, 200 tasks each."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.faults.matrix import ROWS
from tests.faults.options import RATE
from tests.faults.rows import run_row
from tests.faults.system import System

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.timeout(300)

TASKS = 200
SEED = 20
SHORT = ["pool-child-killed", "repeated-requests", "store-killed", "worker-killed", "broker-killed"]
"""All with the same settings, so that only the fault itself starts anything again."""


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Broker, store, gateway and worker of this module's own."""
    with System(tmp_path_factory.mktemp("faults"), "rabbitmq") as made:
        yield made


@pytest.mark.parametrize("name", SHORT)
def test_no_accepted_task_is_lost_and_none_has_its_effect_twice(name: str, system: System) -> None:
    """Whatever happens: each 202 ends, once, in time, and no call hangs or fails in an undocumented way."""
    outcome = asyncio.run(run_row(system, ROWS[name], tasks=TASKS, seed=SEED, rate=RATE, brief=True))
    assert not outcome.broken, f"{name}: {'; '.join(outcome.broken)}"
    assert outcome.figures.done, f"{name}: nothing was done at all"
