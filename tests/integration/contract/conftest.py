"""A deployment to put the contract's questions to, whichever way the question goes in.

By default every test runs twice: through ASGI and as API Gateway events. With CONTRACT_BASE_URL set (compose,
`sam local start-api`, `make run`), tests that leave the deployment as it is run over HTTP against it, and
only those; with CONTRACT_LAMBDA_URL (`sam local start-lambda`) they run as events for the functions there.
"""

from __future__ import annotations

import os
import re
import time
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import redis

from tandem.backplane.match_store import publish_matches
from tandem.backplane.model_cards import publish_cards, publish_heartbeat
from tandem.backplane.settings import settings
from tandem.schemas.match import Match
from tandem.schemas.model_card import ModelCard, WorkerHeartbeat
from tests.integration.contract.calls import Call, over_http, through_asgi, through_events, through_lambda
from tests.integration.contract.deployment import AS_OF, FEATURES, MATCHES, Deployment
from tests.integration.contract.own_bucket import own_bucket

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LAMBDA_URL = os.environ.get("CONTRACT_LAMBDA_URL", "")
BASE_URL = os.environ.get("CONTRACT_BASE_URL", LAMBDA_URL)
WAYS: dict[str, Callable[[], AbstractContextManager[Call]]] = {
    "asgi": through_asgi,
    "event": through_events,
}
if LAMBDA_URL:
    WAYS = {"lambda": lambda: through_lambda(LAMBDA_URL)}
elif BASE_URL:
    WAYS = {"http": lambda: over_http(BASE_URL, os.environ.get("CONTRACT_API_KEY", ""))}
HOURS_MS = 3_600_000
NOT_ASKED_OF_SAM = {
    r"test_a_route_that_is_not_there|test_a_method_that_is_not_there|_never_was_is_404.*-\.\.\]": (
        "what is no route of its own the API answers itself, without asking a function"
    ),
    r"not_strict_json_is_400.*latin-1|test_another_media_type.*(utf-16|PNG)|no_list_of_rows.*no UTF-8": (
        "the emulator ends with a 500 on a body that is not UTF-8, which API Gateway hands on in base64"
    ),
}
"""Tests that `sam local start-api` (CONTRACT_API=sam) answers in another way than the contract, and why."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what cannot be asked of the emulated API."""
    if os.environ.get("CONTRACT_API") != "sam":
        return
    for item in items:
        for names, reason in NOT_ASKED_OF_SAM.items():
            if re.search(names, item.name):
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(params=list(WAYS), scope="module")
def way(request: pytest.FixtureRequest) -> str:
    """How calls are made."""
    return str(request.param)


@contextmanager
def deployed(way: str, variables: dict[str, str]) -> Iterator[Call]:
    """Functions with these settings."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        settings.cache_clear()
        try:
            with WAYS[way]() as call:
                yield call
        finally:
            settings.cache_clear()


def published(redis_url: str) -> None:
    """Put into a store what a living worker and the model's own publishing would have put there."""
    card = ModelCard(
        model_name="match-outcome",
        alias="champion",
        model_version="1",
        model_run_id="3f7a1c9d2e4b",
        loaded_at="2026-04-25T14:00:00Z",
        loaded_by="test",
        metrics={"log_loss": 0.98},
        inputs=[{"type": "double", "name": name, "required": True} for name in FEATURES],
        outputs=[{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 3]}}],
    )
    beat = WorkerHeartbeat(
        node="test",
        seen_ms=int(time.time() * 1000) + HOURS_MS,
        pool="solo",
        concurrency=1,
        models={"match-outcome@champion": "1"},
    )
    with redis.Redis.from_url(redis_url) as client:
        publish_cards(client, [card])
        publish_heartbeat(client, beat)
        publish_matches(client, [Match.model_validate(match) for match in MATCHES])


@pytest.fixture(scope="module")
def silent(way: str, request: pytest.FixtureRequest) -> Iterator[Deployment]:
    """A deployment without a bucket, whose only worker takes nothing: what reaches the broker stays there."""
    if BASE_URL:
        with WAYS[way]() as call:
            yield Deployment(call)
        return
    database: Callable[[], str] = request.getfixturevalue("redis_database")
    broker_url, redis_url = database(), database()
    published(redis_url)
    variables = {"BROKER_URL": broker_url, "REDIS_URL": redis_url, "AS_OF": AS_OF, "PAYLOAD_BUCKET": ""}
    with deployed(way, variables) as call, redis.Redis.from_url(broker_url) as broker:
        yield Deployment(call, broker=broker, redis_url=redis_url, variables=variables)


@pytest.fixture(scope="session")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The variables of whoever has the session's bucket; none where the deployment runs elsewhere."""
    if BASE_URL:
        yield {}
        return
    with own_bucket(tmp_path_factory.mktemp("s3")) as variables:
        yield variables


@pytest.fixture(scope="session")
def working(request: pytest.FixtureRequest, bucket: dict[str, str]) -> Any:
    """A real worker on databases of its own; the same for all tests of the session."""
    if BASE_URL:
        return None
    database: Callable[[], str] = request.getfixturevalue("redis_database")
    make = request.getfixturevalue("live_worker")
    worker = make(broker_url=database(), redis_url=database(), AS_OF=AS_OF, **bucket)
    worker.start_and_wait()
    with redis.Redis.from_url(worker.redis_url) as client:
        publish_matches(client, [Match.model_validate(match) for match in MATCHES])
    return worker


@pytest.fixture(scope="module")
def live(way: str, working: Any, bucket: dict[str, str]) -> Iterator[Deployment]:
    """A deployment with a real worker, and a bucket."""
    if BASE_URL:
        with WAYS[way]() as call:
            yield Deployment(call)
        return
    variables = {"BROKER_URL": working.broker_url, "REDIS_URL": working.redis_url, "AS_OF": AS_OF, **bucket}
    with deployed(way, variables) as call:
        yield Deployment(call, redis_url=working.redis_url, variables=variables)


@pytest.fixture
def redeployed(way: str) -> Callable[[dict[str, str]], AbstractContextManager[Call]]:
    """Make functions with settings of the test's own; not against a deployment that runs elsewhere."""
    if BASE_URL:
        pytest.skip("the settings of a deployment that runs elsewhere are not the test's")
    return lambda variables: deployed(way, variables)
