"""What a run measures and how long, from the environment, as `make bench QUICK=1` hands it over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_MINUTES = 120


class WrongOption(ValueError):
    """A variable that cannot be used; the text names it."""


@dataclass(frozen=True)
class Options:
    """`only`: names of measurements, none for all; `seconds`: of one window; `minutes`: of the memory run."""

    quick: bool = False
    only: tuple[str, ...] = ()
    peers: tuple[str, ...] = ()
    rounds: int = 3
    seconds: float = 2.5
    minutes: float = 2.0

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Options:
        """Read QUICK, ONLY, PEERS, ROUNDS, SECONDS and MINUTES; WrongOption for the first that is wrong."""
        quick = environ.get("QUICK", "") not in {"", "0"}
        usual = cls(quick=quick, rounds=2 if quick else cls.rounds)
        return cls(
            quick=quick,
            only=tuple(environ.get("ONLY", "").split()),
            peers=tuple(environ.get("PEERS", "").split()),
            rounds=int(_number(environ, "ROUNDS", usual.rounds, 50)),
            seconds=_number(environ, "SECONDS", usual.seconds, 60),
            minutes=_number(environ, "MINUTES", usual.minutes, LONGEST_MINUTES),
        )


def _number(environ: Mapping[str, str], name: str, usual: float, most: float) -> float:
    text = environ.get(name) or str(usual)
    try:
        value = float(text)
    except ValueError as error:
        raise WrongOption(f"{name} must be a number") from error
    if not 0 < value <= most or (name == "ROUNDS" and not value.is_integer()):
        raise WrongOption(f"{name} must be over 0 and at most {most:g}")
    return value
