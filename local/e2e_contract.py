"""The contract's own tests, put to each way into the system that `make e2e` has brought up."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from local.steps import run, step

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

CONTRACT = "tests/integration/contract"
SECONDS = 480


def ask_contract(root: Path, ways: Mapping[str, Mapping[str, str]]) -> None:
    """One run of pytest for each way, with the variables that tell it which; StepFailed at a fault."""
    for name, variables in ways.items():
        with step(f"contract: {name}"):
            pytest = [sys.executable, "-m", "pytest", "-q", "--no-header", "-r", "fE", CONTRACT]
            run(pytest, directory=root, seconds=SECONDS, variables=variables)
