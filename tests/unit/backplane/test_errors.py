"""Every error says what its caller sees, and can be made again from what travels."""

import json
import re
from collections.abc import Iterator

import pytest

from tandem.backplane import errors
from tandem.backplane.errors import DeadlinePassed, InvalidRequest, TandemError, Unavailable, problem_of

DRAWN = re.compile(r"^[│├└─\s]*(\w+)\s+(\d{3}) ([\w-]+)", re.MULTILINE)


def classes(root: type[TandemError] = TandemError) -> Iterator[type[TandemError]]:
    """Every class of the tree that is defined in it."""
    if root.__module__ == errors.__name__:
        yield root
    for below in root.__subclasses__():
        yield from classes(below)


def made(kind: type[TandemError]) -> TandemError:
    """One error of a kind."""
    if issubclass(kind, InvalidRequest):
        return kind([{"loc": ["features", "home_elo"], "msg": "is missing"}], "why")
    return kind("id-1", "/status/id-1") if issubclass(kind, DeadlinePassed) else kind("why")


def test_the_drawn_tree_is_the_tree() -> None:
    """Status and problem type in the docstring are those of the classes, and none is left out."""
    drawn = {name: (int(status), kind) for name, status, kind in DRAWN.findall(errors.__doc__ or "")}
    answered = {kind.__name__: (kind.status, kind.type) for kind in classes() if kind.__name__ in drawn}
    assert drawn == answered
    undrawn = {kind.__name__ for kind in classes()} - set(drawn)
    assert undrawn == {"TandemError", "SettingsError", "RequestError", "Unavailable"}


@pytest.mark.parametrize("kind", list(classes()))
def test_an_error_becomes_a_problem_object(kind: type[TandemError]) -> None:
    """RFC 9457's members are all there, and JSON can hold them."""
    problem = json.loads(json.dumps(problem_of(made(kind))))
    assert problem["type"].startswith("/problems/")
    assert problem["title"]
    assert problem["detail"]
    assert 400 <= problem["status"] <= 599
    assert set(problem) >= {"type", "title", "status", "detail", *made(kind).members}


@pytest.mark.parametrize("kind", list(classes()))
def test_an_error_can_be_made_again_from_its_arguments(kind: type[TandemError]) -> None:
    """A Celery client calls the class with what travelled, and has the same problem."""
    error = made(kind)
    arguments = json.loads(json.dumps(error.arguments))
    assert problem_of(kind(*arguments)) == problem_of(error)


@pytest.mark.parametrize("kind", [kind for kind in classes() if issubclass(kind, Unavailable)])
def test_what_passes_says_when_to_come_back(kind: type[Unavailable]) -> None:
    """A 503 has a Retry-After of a second or more."""
    assert kind.status == 503
    assert kind.retry_after_seconds >= 1


def test_an_error_without_a_detail_says_its_title() -> None:
    """No problem is without a detail."""
    assert problem_of(errors.QueueFull())["detail"] == errors.QueueFull.title
