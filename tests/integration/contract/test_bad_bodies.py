"""A body that does not fit is refused with a documented problem, and nothing of it goes any further."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.contract.deployment import Deployment, assert_problem, named

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECRET = "s3cr3t-v4lue"
MEGABYTE = 1_000_000
ROUTES = pytest.mark.parametrize("path", ["/predict/", "/predict", "/predict/async/", "/predict/async"])


@pytest.fixture(autouse=True)
def _nothing_reaches_the_broker(silent: Deployment) -> Iterator[None]:
    """After every test of this file, as many messages wait as before it."""
    before = silent.waiting()
    yield
    assert silent.waiting() == before


def whole(features: dict[str, Any], **members: Any) -> bytes:
    """A body with these features, and members besides."""
    return json.dumps({"features": features, **members}).encode()


def with_number(text: str) -> Callable[[dict[str, Any]], bytes]:
    """A body whose first feature is this literal."""

    def make(features: dict[str, Any]) -> bytes:
        first = next(iter(features))
        return whole({**features, first: "@"}).replace(b'"@"', text.encode())

    return make


NOT_JSON: dict[str, Callable[[dict[str, Any]], bytes]] = {
    "empty": lambda _: b"",
    "text": lambda _: SECRET.encode(),
    "cut off": lambda features: whole(features, note=SECRET)[:-4],
    "two values": lambda features: whole(features) * 2,
    "single quotes": lambda _: f"{{'features': '{SECRET}'}}".encode(),
    "a comment": lambda features: whole(features) + b"// " + SECRET.encode(),
    "NaN": with_number("NaN"),
    "Infinity": with_number("-Infinity"),
    "1e999": with_number("1e999"),
    "4,400 digits": with_number("7" * 4_400),
    "a key twice": lambda features: whole(features)[:-1] + b', "features": {}}',
    "a feature twice": lambda features: whole(features).replace(b"{", b'{"a": 1, "a": 2, ', 1),
    "33 deep": lambda _: b'{"features": ' + b'{"a": ' * 32 + b"1" + b"}" * 33,
    "100,000 deep": lambda _: b"[" * 100_000,
    "latin-1": lambda _: '{"features": "é"}'.encode("latin-1"),
    "half a surrogate pair": lambda _: b'{"features": {"a": "\\ud800"}}',
    "a byte order mark": lambda features: b"\xef\xbb\xbf" + whole(features),
}


@ROUTES
@pytest.mark.parametrize("case", list(NOT_JSON))
def test_what_is_not_strict_json_is_400(silent: Deployment, path: str, case: str) -> None:
    """And the answer does not repeat it."""
    body = NOT_JSON[case](silent.features)
    answer = silent.call("POST", path, headers={"content-type": "application/json"}, body=body)
    assert_problem(answer, 400, "invalid-json")
    assert SECRET.encode() not in answer.body
    assert b"7777" not in answer.body


@ROUTES
@pytest.mark.parametrize("value", [[], "text", 1, True, None, [{"features": {}}]])
def test_json_that_is_no_object_is_422(silent: Deployment, path: str, value: Any) -> None:
    """Well-formed, but not what this route takes."""
    assert_problem(silent.post(path, value), 422, "invalid-request")


@ROUTES
def test_every_fault_is_named_at_once(silent: Deployment, path: str) -> None:
    """Unknown members, members of a wrong type, and every feature that is missing, unknown or unfit."""
    first, second, *rest = silent.features
    features = {first: SECRET, second: True, "unknown": SECRET, **dict.fromkeys(rest[1:], 1)}
    answer = silent.post(path, {"match_id": SECRET, "feature": SECRET, "features": features})
    expected = {("match_id",), ("feature",), ("features", first), ("features", second)}
    expected |= {("features", "unknown"), *(("features", name) for name in rest[:1])}
    assert named(assert_problem(answer, 422, "invalid-request")) == expected
    assert SECRET.encode() not in answer.body


@ROUTES
@pytest.mark.parametrize(
    "literal", ['"1.5"', "true", "null", "[1.5]", '{"a": 1}', "9007199254740993", "1" + "0" * 308]
)
def test_a_feature_that_would_be_changed_is_422(silent: Deployment, path: str, literal: str) -> None:
    """Each is no number, or no number that a double holds."""
    answer = silent.call(
        "POST",
        path,
        headers={"content-type": "application/json"},
        body=with_number(literal)(silent.features),
    )
    first = next(iter(silent.features))
    assert named(assert_problem(answer, 422, "invalid-request")) == {("features", first)}


@ROUTES
@pytest.mark.parametrize("match_id", ["42", 42.5, 42.0, True, -1, 2**53, [42]])
def test_a_match_id_of_another_type_is_422(silent: Deployment, path: str, match_id: Any) -> None:
    """A bool is no integer, and neither is "42"."""
    answer = silent.post(path, {"match_id": match_id, "features": silent.features})
    assert named(assert_problem(answer, 422, "invalid-request")) == {("match_id",)}


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("priority", "urgent"),
        ("expires_in", 0),
        ("expires_in", 604_801),
        ("expires_in", "60"),
        ("callback_url", "http://example.org/"),
        ("callback_url", "not a url"),
        ("callback", "https://example.org/"),
    ],
)
def test_a_bad_option_of_a_task_is_422(silent: Deployment, member: str, value: Any) -> None:
    """At its own name."""
    answer = silent.post("/predict/async/", {"features": silent.features, member: value})
    assert named(assert_problem(answer, 422, "invalid-request")) == {(member,)}


def test_a_task_without_anything_to_predict_from_is_422(silent: Deployment) -> None:
    """Neither features nor a match."""
    assert_problem(silent.post("/predict/async/", {"priority": "low"}), 422, "invalid-request")


def test_a_hundred_thousand_faults_are_a_bounded_answer(silent: Deployment) -> None:
    """However many there are to name."""
    features = {f"u{index}": 1 for index in range(100_000)}
    for value in ({"features": features}, {**features, "features": silent.features}):
        answer = silent.post("/predict/", value)
        assert_problem(answer, 422, "invalid-request")
        assert len(answer.body) < MEGABYTE


@ROUTES
@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        ("text/plain", b"{}"),
        ("application/xml", b"<a/>"),
        ("application/json; charset=utf-16", "{}".encode("utf-16")),
        ("application/x-www-form-urlencoded", b"match_id=42"),
        ("multipart/form-data; boundary=x", b"--x--"),
        ("image/png", b"\x89PNG"),
    ],
)
def test_another_media_type_is_415(silent: Deployment, path: str, media_type: str, body: bytes) -> None:
    """A form that is one included."""
    answer = silent.call("POST", path, headers={"content-type": media_type}, body=body)
    assert_problem(answer, 415, "unsupported-media-type")


@ROUTES
def test_a_body_over_the_limit_is_413(silent: Deployment, path: str) -> None:
    """And the answer names the way for larger ones."""
    body = whole({"a": "x" * 5 * MEGABYTE})
    answer = silent.call("POST", path, headers={"content-type": "application/json"}, body=body)
    assert "/uploads" in assert_problem(answer, 413, "payload-too-large")["detail"]


@pytest.mark.parametrize("key", ["", "x" * 256, "a b"])
def test_a_bad_idempotency_key_is_422(silent: Deployment, key: str) -> None:
    """One to 255 visible characters."""
    answer = silent.post("/predict/async/", {"features": silent.features}, idempotency_key=key)
    assert named(assert_problem(answer, 422, "invalid-request")) == {("Idempotency-Key",)}
