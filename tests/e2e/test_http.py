"""The contract, asked over HTTP of the whole system in containers."""

import json
import subprocess

import httpx
import pytest

from tests.e2e.conftest import is_prediction, poll

pytestmark = pytest.mark.e2e
PROBLEM = "application/problem+json"


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/healthcheck/", "/healthcheck"])
def test_it_is_alive_and_ready(api: httpx.Client, path: str) -> None:
    """`up --wait` returned because everything is ready, and both forms of a path say so."""
    assert api.get(path).status_code == 200


def test_matches_come_soonest_first_and_page_by_page(api: httpx.Client) -> None:
    """The list has the four keys of the contract; `after` goes on where a page ended."""
    matches = api.get("/predict/matches/", params={"limit": 4}).json()
    assert set(matches[0]) >= {"match_id", "home_team", "away_team", "match_date"}
    assert [match["match_date"] for match in matches] == sorted(match["match_date"] for match in matches)
    rest = api.get("/predict/matches", params={"limit": 2, "after": matches[1]["match_id"]}).json()
    assert rest == matches[2:4]


def test_a_match_is_predicted_by_its_id(api: httpx.Client, match_id: int) -> None:
    """The function finds the features, a worker the model; the answer names its version."""
    answer = api.get(f"/predict/{match_id}").raise_for_status().json()
    assert answer["match_id"] == match_id
    assert is_prediction(answer["prediction"])


@pytest.mark.parametrize("path", ["/predict", "/predict/"])
def test_features_in_the_body_are_predicted(api: httpx.Client, features: dict[str, float], path: str) -> None:
    """`match_id` is echoed and needs not be known; there is no redirect between the forms of the path."""
    answer = api.post(path, json={"match_id": 99, "features": features})
    assert answer.status_code == 200, answer.text
    assert answer.json()["match_id"] == 99
    assert is_prediction(answer.json()["prediction"])


def test_a_task_is_accepted_done_and_read(api: httpx.Client, match_id: int) -> None:
    """202 names where to look; there the result has the shape of the synchronous answer."""
    accepted = api.post("/predict/async/", json={"match_id": match_id})
    assert accepted.status_code == 202, accepted.text
    assert accepted.json()["status"] == "submitted"
    assert accepted.headers["location"] == accepted.json()["status_url"]
    task = poll(api, accepted.json()["task_id"])
    assert task["status"] == "SUCCESS"
    assert task["result"]["match_id"] == match_id
    assert is_prediction(task["result"]["prediction"])


def test_the_users_own_curl_line_works(gateway_url: str, api: httpx.Client, match_id: int) -> None:
    """`curl -d` sends a form's media type; a JSON object is taken all the same."""
    curl = ["curl", "--silent", "--fail-with-body", "--max-time", "30", "-X", "POST"]
    curl += [f"{gateway_url}/predict/async/", "-d", json.dumps({"match_id": match_id})]
    done = subprocess.run(curl, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout
    assert poll(api, json.loads(done.stdout)["task_id"])["status"] == "SUCCESS"


def test_an_unknown_match_and_an_unknown_task_are_404(api: httpx.Client) -> None:
    """As problems, with nothing of the inside."""
    for answer in (
        api.get("/predict/999999999"),
        api.post("/predict/async/", json={"match_id": 999_999_999}),
        api.get("/monitoring/task_status/00000000-0000-4000-8000-000000000000"),
    ):
        assert answer.status_code == 404, answer.text
        assert answer.headers["content-type"] == PROBLEM


def test_what_does_not_fit_is_422_and_names_every_field(
    api: httpx.Client, features: dict[str, float]
) -> None:
    """A non-integer id, a missing body field, an unknown one, and features that do not fit the signature."""
    assert api.get("/predict/forty-two").status_code == 422
    assert api.post("/predict/async/", json={}).status_code == 422
    assert api.post("/predict/", json={"features": features, "colour": "red"}).status_code == 422
    first, second = list(features)[:2]
    wrong = features | {first: "much", second: True}
    answer = api.post("/predict/", json={"features": wrong})
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == PROBLEM
    assert {fault["loc"][-1] for fault in answer.json()["errors"]} == {first, second}


def test_the_model_tells_what_it_is(api: httpx.Client) -> None:
    """Registry metadata of the served model, from the worker that has loaded it."""
    info = api.get("/predict/model/info").raise_for_status().json()
    assert (info["model_name"], info["alias"], info["loaded"]) == ("match-outcome", "champion", True)
    assert info["metrics"]
    assert info["signature"]["inputs"]


def test_metrics_are_prometheus_text(api: httpx.Client) -> None:
    """Only here and under `make run`: a Lambda function cannot be scraped."""
    answer = api.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    assert "# TYPE " in answer.text
