"""Whose a key is, and whom a function believes about it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tandem.backplane.callers import (
    ANONYMOUS,
    MAX_KEY_LENGTH,
    MAX_KEYS,
    ApiKeys,
    KeyOwner,
    caller_of,
    digest_of,
    new_key,
    read_api_keys,
)
from tandem.backplane.errors import NotAllowed, NotAuthenticated

KEY, OTHER, OLD = new_key(), new_key(), new_key()
DIGEST = digest_of(KEY)


@pytest.fixture
def keys() -> ApiKeys:
    """Three keys, one of them disabled."""
    secret = {DIGEST: "alice", digest_of(OTHER): {"caller": "bob", "disabled": False}}
    return read_api_keys(json.dumps({**secret, digest_of(OLD): {"caller": "bob", "disabled": True}}))


def test_a_key_is_its_callers(keys: ApiKeys) -> None:
    """A caller may have several."""
    assert keys.caller(KEY) == "alice"
    assert keys.caller(OTHER) == "bob"


def test_a_disabled_key_is_refused_as_such(keys: ApiKeys) -> None:
    """Its caller is known and learns why; another key of theirs goes on."""
    with pytest.raises(NotAllowed):
        keys.caller(OLD)


@pytest.mark.parametrize(
    "key",
    [
        None,
        "",
        KEY + " ",
        KEY[:-1],
        KEY.upper(),
        DIGEST,
        f"{KEY},{OTHER}",
        "é" * 9,
        "\udcff",
        "x" * (MAX_KEY_LENGTH + 1),
        new_key(),
    ],
)
def test_any_other_key_is_nobodys(keys: ApiKeys, key: str | None) -> None:
    """What the secret holds, the digest, is no key either; the refusal does not repeat what was sent."""
    with pytest.raises(NotAuthenticated) as caught:
        keys.caller(key)
    assert not key or key not in str(caught.value)


def test_without_keys_nobody_has_access() -> None:
    """The secret as the template makes it."""
    with pytest.raises(NotAuthenticated):
        read_api_keys("{}").caller(KEY)


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "alice",
        "[]",
        "null",
        "{",
        "\udcff",
        f'{{"{DIGEST}": "alice", "{DIGEST}": "bob"}}',
        json.dumps({KEY: "alice"}),
        json.dumps({DIGEST.upper(): "alice"}),
        json.dumps({DIGEST[:-1]: "alice"}),
        json.dumps({DIGEST: ""}),
        json.dumps({DIGEST: "a/b"}),
        json.dumps({DIGEST: "-alice"}),
        json.dumps({DIGEST: "a" * 65}),
        json.dumps({DIGEST: "alice\n"}),
        json.dumps({DIGEST: None}),
        json.dumps({DIGEST: {}}),
        json.dumps({DIGEST: {"caller": 7}}),
        json.dumps({DIGEST: {"caller": "alice", "disabled": "no"}}),
        json.dumps({DIGEST: {"caller": "alice", "enabled": True}}),
        json.dumps({f"{number:064x}": "alice" for number in range(MAX_KEYS + 1)}),
    ],
)
def test_a_secret_that_is_not_as_described_is_not_guessed_at(secret: str) -> None:
    """And what it holds is not in the error, for it may be a key."""
    with pytest.raises(ValueError, match=r"^not ") as caught:
        read_api_keys(secret)
    assert KEY not in repr(caught.value)
    assert DIGEST not in repr(caught.value)


def test_keys_are_not_shown() -> None:
    """Not even their digests."""
    assert DIGEST not in repr(ApiKeys({DIGEST: KeyOwner("alice")}))


def scope(**members: Any) -> dict[str, Any]:
    """A request's scope."""
    return {"type": "http", "headers": [], **members}


def event(context: Any) -> dict[str, Any]:
    """A request's scope in Lambda, with a header that names somebody."""
    return scope(
        headers=[(b"x-tandem-caller", b"mallory")],
        **{"aws.event": {"requestContext": {"authorizer": context}}},
    )


def test_a_function_believes_the_process_it_runs_in() -> None:
    """And then no header."""
    headers = [(b"x-tandem-caller", b"mallory")]
    assert caller_of(scope(state={"caller": "alice"}, headers=headers), behind_gateway=True) == "alice"
    assert caller_of(scope(state={"caller": ANONYMOUS}, headers=headers), behind_gateway=True) == ANONYMOUS


def test_a_function_believes_the_authorizer() -> None:
    """In Lambda nothing else tells who calls, whatever the settings say."""
    assert caller_of(event({"lambda": {"caller": "alice"}}), behind_gateway=True) == "alice"


@pytest.mark.parametrize(
    "context",
    [None, {}, {"lambda": None}, {"lambda": {}}, {"lambda": {"caller": 7}}, {"jwt": {"caller": "a"}}],
)
def test_without_an_authorizer_nobody_is_known(context: Any) -> None:
    """As on the routes of health."""
    assert caller_of(event(context), behind_gateway=True) == ANONYMOUS
    assert caller_of(scope(**{"aws.event": None}), behind_gateway=True) == ANONYMOUS


def test_a_header_is_believed_only_behind_the_gateway() -> None:
    """And only where it stands once, as the gateway writes it."""
    once = [(b"x-tandem-caller", b"alice")]
    assert caller_of(scope(headers=once), behind_gateway=True) == "alice"
    assert caller_of(scope(headers=once), behind_gateway=False) == ANONYMOUS
    assert caller_of(scope(headers=once * 2), behind_gateway=True) == ANONYMOUS
    assert caller_of(scope(), behind_gateway=True) == ANONYMOUS
