"""The counts are those of the port, however many processes answer on it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import httpx

from tests.unit.local.served import in_processes

if TYPE_CHECKING:
    from pathlib import Path

APP = "tests.unit.local.standin_gateway:app"
REQUESTS = 60


def test_whichever_process_is_asked_shows_the_counts_of_all(tmp_path: Path) -> None:
    """With two processes serving, every scrape shows the same totals, each request counted once."""
    counts = tmp_path / "counts"
    counts.mkdir()
    with in_processes(APP, 2, tmp_path / "log", PROMETHEUS_MULTIPROC_DIR=str(counts)) as url:

        def ask(number: int) -> int:
            return int(httpx.get(f"{url}/predict/{number}").raise_for_status().json()["pid"])

        asked, pids = 0, set[int]()
        while len(pids) < 2:
            with ThreadPoolExecutor(8) as threads:
                pids.update(threads.map(ask, range(REQUESTS)))
            asked += REQUESTS
            assert asked < 100 * REQUESTS
        httpx.post(f"{url}/predict/", params={"late": "1"})
        httpx.post(f"{url}/predict/async/")
        for _ in range(20):
            shown = httpx.get(f"{url}/metrics").text
            assert f'prediction_requests_total{{source="sync"}} {asked + 1}.0' in shown
            assert 'prediction_requests_total{source="async"} 1.0' in shown
            assert "prediction_timeouts_total 1.0" in shown
            assert "pid" not in shown
