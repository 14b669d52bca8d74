"""Variables choose what is measured; a wrong one is named before anything starts."""

from __future__ import annotations

import pytest

from bench.options import Options, WrongOption


def test_nothing_given_measures_everything() -> None:
    """An empty variable, as make hands it over, is none."""
    assert Options.of({}) == Options.of({"QUICK": "", "ONLY": "", "ROUNDS": ""}) == Options()


def test_variables_are_read() -> None:
    """Names between spaces, numbers within bounds."""
    given = {"QUICK": "1", "ONLY": "flood memory", "PEERS": "naive", "SECONDS": "0.5", "MINUTES": "10"}
    expected = Options(
        quick=True, only=("flood", "memory"), peers=("naive",), rounds=2, seconds=0.5, minutes=10
    )
    assert Options.of(given) == expected


@pytest.mark.parametrize(
    "given", [{"ROUNDS": "many"}, {"ROUNDS": "1.5"}, {"SECONDS": "0"}, {"MINUTES": "1e9"}, {"SECONDS": "nan"}]
)
def test_a_wrong_number_is_named(given: dict[str, str]) -> None:
    """Every duration is bounded."""
    with pytest.raises(WrongOption, match=next(iter(given))):
        Options.of(given)
