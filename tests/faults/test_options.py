"""Whoever asks for a run is told which variable is wrong before anything is started."""

from __future__ import annotations

import re

import pytest

from tests.faults.brokers import BROKERS
from tests.faults.matrix import ROWS
from tests.faults.options import MINUTES, RATE, TASKS, OptionError, Options

NAMES = ("BROKER", "TASKS", "ROWS", "SEED", "MINUTES", "RATE")
FIRST, SECOND = list(ROWS)[:2]


def asked(patch: pytest.MonkeyPatch, **given: str) -> Options:
    """The run that exactly these variables ask for."""
    for name in NAMES:
        patch.delenv(name, raising=False)
    for name, value in given.items():
        patch.setenv(name, value)
    return Options.of_environment()


def test_who_says_nothing_gets_a_whole_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also who sets a variable to nothing; the seed is drawn, and told."""
    for given in ({}, dict.fromkeys(NAMES, "")):
        options = asked(monkeypatch, **given)
        assert (options.broker, options.rows, options.is_whole) == ("rabbitmq", tuple(ROWS), True)
        assert (options.tasks, options.minutes, options.rate) == (TASKS, MINUTES, RATE)
        assert f"SEED={options.seed}" in options.command


@pytest.mark.parametrize("broker", [*BROKERS, "amqp://guest:guest@127.0.0.1:5672//", "rediss://store/0"])
def test_every_broker_can_be_asked_for(broker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or a given one by its URL, which may hold a password and is not repeated."""
    options = asked(monkeypatch, BROKER=broker)
    assert options.broker == broker
    assert f"BROKER={broker if broker in BROKERS else 'URL'} " in options.command


@pytest.mark.parametrize("broker", ["rabbit", "kafka://somewhere", "amqp://", "127.0.0.1:5672"])
def test_another_broker_is_refused(broker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And those there are, are named."""
    with pytest.raises(OptionError, match=f"^BROKER must be {', '.join(BROKERS)} or a URL$"):
        asked(monkeypatch, BROKER=broker)


@pytest.mark.parametrize("between", [",", " ", ", "])
def test_rows_are_run_in_the_order_asked_for(between: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With commas or blanks between them; the command repeats just these."""
    options = asked(monkeypatch, ROWS=f"{SECOND}{between}{FIRST}", SEED="7")
    assert options.rows == (SECOND, FIRST)
    assert not options.is_whole
    assert options.command == f"make faults BROKER=rabbitmq TASKS={TASKS} SEED=7 ROWS={SECOND},{FIRST}"


def test_an_unknown_row_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every one of them, beside those there are; none is left out in silence."""
    words = f"^ROWS has earthquake, flood, and there are: {re.escape(FIRST)}, "
    with pytest.raises(OptionError, match=words):
        asked(monkeypatch, ROWS=f"earthquake,{FIRST},flood")


@pytest.mark.parametrize("name", ["TASKS", "SEED", "MINUTES", "RATE"])
def test_what_is_no_number_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the text that is none."""
    with pytest.raises(OptionError, match=r"^TASKS, SEED, MINUTES and RATE must be numbers \(.*'many'\)$"):
        asked(monkeypatch, **{name: "many"})


def test_numbers_are_taken_as_given_and_never_ask_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """One task and one a second are the least."""
    options = asked(monkeypatch, TASKS="50", SEED="11", MINUTES="0.5", RATE="80")
    assert (options.tasks, options.seed, options.minutes, options.rate) == (50, 11, 0.5, 80.0)
    assert options.command == "make faults BROKER=rabbitmq TASKS=50 SEED=11 RATE=80"
    least = asked(monkeypatch, TASKS="0", RATE="0")
    assert (least.tasks, least.rate) == (1, 1.0)
