"""Messages of the functions and of foreign Celery clients become work, or say what is wrong with them."""

from __future__ import annotations

from typing import Any

import pytest

from tandem.backplane.errors import InvalidRequest
from tandem.backplane.message import delivery_header
from tandem.backplane.task_attempts import Delivery
from worker.work import Ask, work_of

NAMES = ("model", "features", "alias", "match_id")


def locs(ask: Ask | InvalidRequest) -> list[list[str | int]]:
    """Where the faults are."""
    assert isinstance(ask, InvalidRequest)
    return [error["loc"] for error in ask.errors]


def test_our_own_header_is_read_back() -> None:
    """What the functions wrote is what the lifecycle gets, and their check is trusted."""
    header = delivery_header(submitted_ms=5, deadline_ms=9, accepted=False, reply_to="channel", checked="3")
    work = work_of("id", header, NAMES, [], {"model": "spam", "features": {"x": 1}})
    assert work.delivery == Delivery("id", 5, 9, accepted=False, reply_to="channel")
    assert work.checked == "3"
    assert work.known


@pytest.mark.parametrize(
    "header", [None, "x", {}, {"submitted_ms": "now"}, {**delivery_header(submitted_ms=1), "accepted": 1}]
)
def test_without_our_header_the_sender_is_a_client_of_its_own(header: Any) -> None:
    """Accepted, no deadline, nothing checked yet."""
    work = work_of("id", header, NAMES, [], {"model": "spam", "features": {"x": 1}})
    assert work.delivery == Delivery("id")
    assert work.checked == ""
    assert not work.known


def test_arguments_may_be_positional() -> None:
    """As Celery clients may send them."""
    work = work_of("id", None, NAMES, ["spam", {"text": "hi"}], {"match_id": 3})
    assert work.ask == Ask(model="spam", features={"text": "hi"}, match_id=3)


def test_what_the_task_decides_is_not_the_senders_to_choose() -> None:
    """`predict_match` fixes the model; a message that names one is refused."""
    names = ("match_id", "features", "alias")
    assert work_of("id", None, names, [42], {}, model="match-outcome").ask == Ask(
        model="match-outcome", match_id=42
    )
    assert locs(work_of("id", None, names, [42], {"model": "x"}, model="match-outcome").ask) == [["model"]]


@pytest.mark.parametrize(
    ("args", "kwargs", "faults"),
    [
        ([], {"model": "spam"}, [["features"]]),
        ([], {"model": 3, "features": []}, [["model"], ["features"]]),
        ([], {"features": {}}, [["model"]]),
        ([], {"model": "spam", "match_id": "42"}, [["match_id"]]),
        ([], {"model": "spam", "match_id": True}, [["match_id"]]),
        ([], {"model": "spam", "match_id": -1}, [["match_id"]]),
        ([], {"model": "spam", "features": {}, "more": 1}, [["more"]]),
        (["spam"], {"model": "spam", "features": {}}, [["model"]]),
        (["spam", {}, None, 1, 2], {}, [["args"]]),
    ],
)
def test_arguments_that_do_not_fit_are_named(
    args: list[Any], kwargs: dict[str, Any], faults: list[list[str]]
) -> None:
    """Every one, and nothing is converted on the way."""
    assert locs(work_of("id", None, NAMES, args, kwargs).ask) == faults
