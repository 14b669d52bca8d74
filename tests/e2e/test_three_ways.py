"""The same requests to compose, the emulated API and the functions in Lambda's image: the same answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.e2e.conftest import given, poll
from tests.e2e.side_by_side import ASKED, Asked, essence
from tests.integration.contract.calls import CALLER, Answer, Call, over_http, through_lambda
from tests.unit.infra.cloudformation import functions, routes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]
WAYS = ("compose", "sam local start-api", "event to Lambda")
HEAD = f"| route | asked with | {' | '.join(WAYS)} | headers compared |\n|---|---|{'---|' * 4}\n"
REFUSED = "| | " + " | ".join(WAYS) + " |\n|---|" + "---|" * 3 + "\n"


@pytest.fixture(scope="module")
def ways() -> Iterator[dict[str, Call]]:
    """How to ask each, as one and the same caller: by key where a key is asked for."""
    key = given("TANDEM_E2E_KEY")
    with (
        over_http(given("TANDEM_E2E_KEYED_URL"), key) as compose,
        over_http(given("TANDEM_E2E_API_URL"), key) as api,
        through_lambda(given("TANDEM_E2E_LAMBDA_URL")) as functions_alone,
    ):

        def as_caller(
            method: str, path: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
        ) -> Answer:
            return functions_alone(method, path, headers={**(headers or {}), CALLER: "e2e"}, body=body)

        yield dict(zip(WAYS, (compose, api, as_caller), strict=True))


@pytest.fixture(scope="module")
def known(features: dict[str, float], match_id: int) -> dict[str, Any]:
    """What the requests name: a match, rows that fit, and a task of the caller's that has ended."""
    key = {"x-api-key": given("TANDEM_E2E_KEY")}
    with httpx.Client(base_url=given("TANDEM_E2E_KEYED_URL"), headers=key, timeout=35) as client:
        accepted = client.post("/predict/async/", json={"match_id": match_id}).raise_for_status().json()
        ended = poll(client, accepted["task_id"])
    assert ended["status"] == "SUCCESS"
    return {"features": features, "rows": [features, features], "match": match_id, "ended": ended["task_id"]}


@pytest.fixture(scope="module")
def table(found: Path) -> Iterator[list[str]]:
    """The rows of the table, which is written when the last has been added."""
    rows: list[str] = []
    yield rows
    (found / "three-ways.md").write_text(HEAD + "".join(rows))


def test_every_route_is_asked_here() -> None:
    """A new route of the template needs a request of its own to be compared."""
    declared = {
        f"{method} {path.rstrip('/')}" for has in functions().values() for method, path in routes(has)
    }
    assert {asked.route for asked in ASKED} == declared


@pytest.mark.parametrize("asked", ASKED, ids=lambda asked: f"{asked.route}: {asked.title}".rstrip(": "))
def test_three_ways_answer_alike(
    ways: dict[str, Call], known: dict[str, Any], asked: Asked, table: list[str]
) -> None:
    """In status, in every header that says something, and in the body but for ids and times."""
    answers = {way: essence(asked.put(call, known), moves=asked.moves) for way, call in ways.items()}
    expected = answers["compose"]
    cells = [
        f"{answer['status']}" + ("" if answer == expected else " (differs)") for answer in answers.values()
    ]
    table.append(
        f"| `{asked.route}` | {asked.title} | {' | '.join(cells)} | {', '.join(expected['headers'])} |\n"
    )
    assert expected["status"] == asked.status, expected
    for way, answer in answers.items():
        assert answer == expected, way


REFUSALS = {
    "no key": ({}, "/predict/matches", (401, 401)),
    "a key that is nobody's": ({"x-api-key": "tandem_x"}, "/predict/matches", (401, 403)),
    # Of API Gateway's HTTP APIs it is 404; the emulator says what REST APIs say.
    "no such route": ({"x-api-key": "of the caller"}, "/nowhere", (404, 403)),
}


def test_who_is_refused_is_told_as_documented(found: Path) -> None:
    """The gateway answers as a function would, the API in words of its own; a function alone is not asked."""
    rows, told = [], {}
    for title, (headers, path, _) in REFUSALS.items():
        sent = {name: given("TANDEM_E2E_KEY") if " " in key else key for name, key in headers.items()}
        urls = given("TANDEM_E2E_KEYED_URL"), given("TANDEM_E2E_API_URL")
        answers = [httpx.get(url + path, headers=sent, timeout=35) for url in urls]
        told[title] = tuple(answer.status_code for answer in answers)
        cells = [f"{answer.status_code}, `{answer.headers['content-type']}`" for answer in answers]
        rows.append(f"| {title} | {' | '.join(cells)} | not asked |\n")
    (found / "refused.md").write_text(REFUSED + "".join(rows))
    assert told == {title: statuses for title, (_, _, statuses) in REFUSALS.items()}
