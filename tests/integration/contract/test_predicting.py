"""Predictions that are waited for, with a real worker."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.contract.deployment import Deployment, assert_problem

pytestmark = pytest.mark.timeout(300)
OUTCOMES = ("home_win", "draw", "away_win")


def assert_prediction(prediction: dict[str, Any]) -> None:
    """Check the match model's answer as documented."""
    probabilities = prediction["probabilities"]
    assert set(probabilities) == {"0", "1", "2"}
    assert sum(probabilities.values()) == pytest.approx(1)
    likeliest = max(probabilities, key=probabilities.__getitem__)
    assert prediction["predicted_class"] == int(likeliest)
    assert prediction["outcome"] == OUTCOMES[int(likeliest)]
    assert {"model_name", "model_version", "model_run_id"} <= prediction.keys()


def a_match(live: Deployment) -> int:
    """An upcoming match of the deployment."""
    return int(live.call("GET", "/predict/matches/?limit=1").json()[0]["match_id"])


@pytest.mark.parametrize("path", ["/predict/", "/predict"])
@pytest.mark.parametrize("match_id", [None, 123_456, 0])
def test_features_in_the_body_are_predicted(live: Deployment, path: str, match_id: int | None) -> None:
    """The match id is echoed, known or not."""
    body = {"features": live.features} | ({} if match_id is None else {"match_id": match_id})
    answer = live.post(path, body)
    assert answer.status == 200, answer.body
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["match_id"] == match_id
    assert_prediction(answer.json()["prediction"])


@pytest.mark.parametrize(
    "media_type", ["application/x-www-form-urlencoded", "application/json; charset=UTF-8"]
)
def test_curls_media_type_is_no_obstacle(live: Deployment, media_type: str) -> None:
    """A body that is a JSON object is taken under a form's type."""
    answer = live.post("/predict/", {"features": live.features}, content_type=media_type)
    assert answer.status == 200, answer.body


def test_a_whole_number_for_a_double_is_the_same_row(live: Deployment) -> None:
    """Widening that loses nothing is accepted."""
    widened, plain = ({"features": dict.fromkeys(live.features, value)} for value in (2, 2.0))
    answers = [live.post("/predict/", body) for body in (widened, plain)]
    assert [answer.status for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_match_is_predicted_from_its_stored_features(live: Deployment, slash: str) -> None:
    """By its number alone."""
    match_id = a_match(live)
    answer = live.call("GET", f"/predict/{match_id}{slash}")
    assert answer.status == 200, answer.body
    assert answer.json()["match_id"] == match_id
    assert_prediction(answer.json()["prediction"])


def test_matches_are_listed_soonest_first(live: Deployment) -> None:
    """Then by number; what has been played is left out; `after` goes on where a page ended."""
    whole = live.call("GET", "/predict/matches/?limit=1000").json()
    keys = [(match["match_date"], match["match_id"]) for match in whole]
    assert keys == sorted(keys)
    assert whole
    for match in whole:
        assert set(match) >= {"match_id", "home_team", "away_team", "match_date"}
    first = live.call("GET", "/predict/matches?limit=1").json()
    rest = live.call("GET", f"/predict/matches/?limit=1000&after={first[0]['match_id']}").json()
    assert first + rest == whole
    assert live.call("GET", "/predict/matches/?after=123456789").json() == []


def test_the_list_counts_from_the_day_that_is_set(live: Deployment) -> None:
    """With AS_OF the 20th, a match of the 19th has been played."""
    if not live.redis_url:
        pytest.skip("the matches of a deployment that runs elsewhere are not the test's")
    matches = live.call("GET", "/predict/matches/").json()
    assert [match["match_id"] for match in matches] == [41, 42, 99, 8]
    assert matches[1] == {
        "match_id": 42,
        "home_team": "Arsenal",
        "away_team": "Chelsea",
        "match_date": "2026-04-25",
    }


def test_features_that_are_too_old_are_not_served(live: Deployment) -> None:
    """Neither to a caller that waits nor to one that does not."""
    if not live.redis_url:
        pytest.skip("the matches of a deployment that runs elsewhere are not the test's")
    assert_problem(live.call("GET", "/predict/8"), 503, "stale-features")
    assert_problem(live.post("/predict/async/", {"match_id": 8}), 503, "stale-features")


@pytest.mark.parametrize("path", ["/predict/model/info", "/predict/model/info/"])
def test_the_served_model_is_described(live: Deployment, path: str) -> None:
    """With everything the registry knows and the signature that requests are checked against."""
    info = live.call("GET", path).json()
    named = live.call("GET", f"{path}?model={info['model_name']}&alias={info['alias']}").json()
    assert named == info
    assert info["loaded"] is True
    assert info["metrics"]
    assert info["loaded_at"].endswith("Z")
    assert {"model_version", "model_run_id"} <= info.keys()
    assert set(info["signature"]) == {"inputs", "outputs"}
    prediction = live.post("/predict/", {"features": live.features}).json()["prediction"]
    for member in ("model_name", "model_version", "model_run_id"):
        assert prediction[member] == info[member]


def test_any_other_model_answers_in_its_own_words(live: Deployment) -> None:
    """Under `output`, beside the same three members; the match id is echoed all the same."""
    if not live.redis_url:
        pytest.skip("the models of a deployment that runs elsewhere are not the test's")
    body = {"match_id": 5, "features": {"action": "echo", "count": 7}}
    answer = live.post("/predict/?model=probe", body)
    assert answer.status == 200, answer.body
    assert answer.json()["match_id"] == 5
    prediction = answer.json()["prediction"]
    assert prediction["model_name"] == "probe"
    assert prediction["output"]["echo"] == "echo"
    assert prediction["output"]["count"] == 7
    assert prediction["output"]["seconds"] is None


def test_a_model_that_raises_is_a_502(live: Deployment) -> None:
    """With nothing of what it said."""
    if not live.redis_url:
        pytest.skip("the models of a deployment that runs elsewhere are not the test's")
    answer = live.post("/predict/?model=probe", {"features": {"action": "raise"}})
    assert_problem(answer, 502, "model-error")
    assert b"as asked" not in answer.body
