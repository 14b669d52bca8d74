"""What `make e2e` has brought up, as fixtures."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from local.composition import Composition

POLL_SECONDS = 60
TERMINAL = {"SUCCESS", "FAILURE", "REVOKED"}


def given(name: str) -> str:
    """A variable that local/e2e.py sets for these tests."""
    value = os.environ.get(name)
    if not value:
        pytest.fail(f"{name} is not set: these tests ask a system that `make e2e` brings up", pytrace=False)
    return value


@pytest.fixture(scope="session")
def gateway_url() -> str:
    """The address of the gateway of the composition."""
    return given("TANDEM_E2E_URL")


@pytest.fixture(scope="session")
def project() -> str:
    """The name of the composition."""
    return given("TANDEM_E2E_PROJECT")


@pytest.fixture(scope="session")
def composition(project: str) -> Composition:
    """What is up; it is somebody else's to take down."""
    return Composition(Path(__file__).parents[2], project)


@pytest.fixture(scope="session")
def found() -> Path:
    """Where what was found is put for `make e2e`."""
    return Path(given("TANDEM_E2E_FOUND"))


@pytest.fixture(scope="session")
def sam_build() -> Path:
    """What `sam build` has made of the template."""
    return Path(given("TANDEM_E2E_SAM_BUILD"))


@pytest.fixture(scope="session")
def api(gateway_url: str) -> Iterator[httpx.Client]:
    """A client of the gateway."""
    with httpx.Client(base_url=gateway_url, timeout=35) as client:
        yield client


@pytest.fixture(scope="session")
def match_id(api: httpx.Client) -> int:
    """The next match there is."""
    matches = api.get("/predict/matches/").raise_for_status().json()
    return int(matches[0]["match_id"])


@pytest.fixture(scope="session")
def features(api: httpx.Client) -> dict[str, float]:
    """Features that fit the signature of the served model."""
    info = api.get("/predict/model/info").raise_for_status().json()
    return {column["name"]: 1.0 for column in info["signature"]["inputs"]}


def poll(api: httpx.Client, task_id: str) -> dict[str, Any]:
    """The task once it is terminal."""
    deadline = time.monotonic() + POLL_SECONDS
    while True:
        task: dict[str, Any] = api.get(f"/monitoring/task_status/{task_id}").raise_for_status().json()
        if task["status"] in TERMINAL:
            return task
        assert time.monotonic() < deadline, task
        time.sleep(0.2)


def is_prediction(prediction: dict[str, Any]) -> bool:
    """Whether this is what the match model answers, and coherent."""
    probabilities = prediction["probabilities"]
    likeliest = max(probabilities, key=probabilities.__getitem__)
    return (
        set(probabilities) == {"0", "1", "2"}
        and abs(sum(probabilities.values()) - 1) < 1e-6
        and str(prediction["predicted_class"]) == likeliest
        and prediction["outcome"] == ("home_win", "draw", "away_win")[prediction["predicted_class"]]
        and prediction["model_name"] == "match-outcome"
        and all(isinstance(prediction[key], str) for key in ("model_version", "model_run_id"))
    )
