"""Requests are read strictly: no field too many, no type but its own."""

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from tandem.schemas.prediction import AsyncRequest, PredictRequest

FEATURES = {"a": 1.0}


@pytest.mark.parametrize(
    ("model", "value", "bad"),
    [
        (PredictRequest, {}, {"features"}),
        (PredictRequest, {"features": FEATURES, "feature": 1}, {"feature"}),
        (PredictRequest, {"features": []}, {"features"}),
        (PredictRequest, {"features": FEATURES, "match_id": True}, {"match_id"}),
        (PredictRequest, {"features": FEATURES, "match_id": "42"}, {"match_id"}),
        (PredictRequest, {"features": FEATURES, "match_id": 42.0}, {"match_id"}),
        (PredictRequest, {"features": FEATURES, "match_id": -1}, {"match_id"}),
        (PredictRequest, {"features": FEATURES, "match_id": 2**53}, {"match_id"}),
        (PredictRequest, {"features": 1, "match_id": "x", "z": 1}, {"features", "match_id", "z"}),
        (AsyncRequest, {"match_id": 1, "priority": "urgent"}, {"priority"}),
        (AsyncRequest, {"match_id": 1, "priority": 1}, {"priority"}),
        (AsyncRequest, {"match_id": 1, "expires_in": 0}, {"expires_in"}),
        (AsyncRequest, {"match_id": 1, "expires_in": 604_801}, {"expires_in"}),
        (AsyncRequest, {"match_id": 1, "expires_in": True}, {"expires_in"}),
        (AsyncRequest, {"match_id": 1, "expires_in": 1.5}, {"expires_in"}),
    ],
)
def test_what_does_not_fit_is_refused(model: type[BaseModel], value: Any, bad: set[str]) -> None:
    """Each at its own field, all at once."""
    with pytest.raises(ValidationError) as refused:
        model.model_validate(value)
    assert {str(error["loc"][0]) for error in refused.value.errors()} == bad


@pytest.mark.parametrize(
    "value", [{}, {"priority": "low"}, {"match_id": None, "features": None}, [], "x", 1, None]
)
def test_a_task_needs_something_to_predict_from(value: Any) -> None:
    """A match id, features, or both; and an object to say so in."""
    with pytest.raises(ValidationError):
        AsyncRequest.model_validate(value)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/hook",
        "https://example.org:8443/hook?a=b#c",
        "http://localhost:8080/hook",
        "http://127.0.0.1/hook",
        "http://[::1]:9/hook",
    ],
)
def test_a_callback_goes_to_https_or_to_this_machine(url: str) -> None:
    """What the name resolves to is judged when it is called."""
    assert AsyncRequest.model_validate({"match_id": 1, "callback_url": url}).callback_url == url


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/hook",
        "http://127.0.0.1.example.org/",
        "http://localhost@example.org/",
        "https://user:password@example.org/",
        "https:///hook",
        "https://",
        "ftp://example.org/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "https://example.org:port/",
        "https://exa mple.org/",
        "https://example.org/\r\nX: y",
        "https://[::1/",
        "//example.org/",
        "",
        "x" * 3_000,
    ],
)
def test_a_callback_goes_nowhere_else(url: str) -> None:
    """Neither in the clear nor with a password in it, and the message does not repeat it."""
    with pytest.raises(ValidationError) as refused:
        AsyncRequest.model_validate({"match_id": 1, "callback_url": url})
    [error] = refused.value.errors(include_input=False, include_context=False)
    assert error["loc"] == ("callback_url",)
    assert url in {"", "https://"} or url not in str(error["msg"])
