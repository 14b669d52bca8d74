"""The Prefer header: what RFC 7240 allows is understood, what makes no sense is passed over."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.backplane.prefer import Waiting, waiting_of

LONGEST = 30.0


@pytest.mark.parametrize(
    ("headers", "waiting"),
    [
        ([], Waiting(30)),
        (["wait=5"], Waiting(5, wait_given=True)),
        (['Wait = "5"'], Waiting(5, wait_given=True)),
        (["wait=0"], Waiting(0, wait_given=True)),
        (["wait=600"], Waiting(30, wait_given=True)),
        (["respond-async"], Waiting(0, respond_async=True)),
        (["respond-async, wait=5"], Waiting(5, respond_async=True, wait_given=True)),
        (["wait=5", "Respond-Async"], Waiting(5, respond_async=True, wait_given=True)),
        (["respond-async; foo=bar;baz, wait=5; x"], Waiting(5, respond_async=True, wait_given=True)),
        (["wait=5, wait=7"], Waiting(5, wait_given=True)),
        (['return=minimal, foo="a, wait=1; \\" wait=2", wait=7'], Waiting(7, wait_given=True)),
        ([",, ,wait=3,"], Waiting(3, wait_given=True)),
        (["wait=-1"], Waiting(30)),
        (["wait=2.5"], Waiting(30)),
        (["wait=soon"], Waiting(30)),
        (["wait"], Waiting(30)),
        (["wait=1 2"], Waiting(30)),
        (["@@@, wait=3"], Waiting(3, wait_given=True)),
        (["respond-async=false"], Waiting(0, respond_async=True)),
        (["wait=" + "9" * 5_000], Waiting(30)),
    ],
)
def test_preferences_are_read(headers: list[str], waiting: Waiting) -> None:
    """Case, quotes, spaces, several headers, parameters, repetitions and nonsense."""
    assert waiting_of(headers, LONGEST) == waiting


@given(st.lists(st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=60), max_size=4))
def test_no_header_is_an_error(headers: list[str]) -> None:
    """Whatever a caller sends, the wait is within what is allowed."""
    assert 0 <= waiting_of(headers, LONGEST).seconds <= LONGEST


@pytest.mark.parametrize(
    ("header", "accepted", "applied"),
    [
        ("", False, None),
        ("wait=5", False, "wait=5"),
        ("wait=99", False, "wait=30"),
        ("respond-async", True, "respond-async"),
        ("respond-async, wait=5", True, "respond-async, wait=5"),
        ("respond-async, wait=5", False, "wait=5"),
    ],
)
def test_what_was_done_is_said(header: str, applied: str | None, *, accepted: bool) -> None:
    """`respond-async` was honoured where the answer is a 202, a wait always, with the length applied."""
    assert waiting_of([header], LONGEST).applied(accepted=accepted).get("Preference-Applied") == applied
