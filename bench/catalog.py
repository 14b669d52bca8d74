"""All systems that are measured, in the order of the tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.naive.processes import NAIVE
from bench.peers.bentoml import SYSTEMS as BENTOML
from bench.peers.fastapi import SYSTEMS as FASTAPI
from bench.peers.litserve import SYSTEMS as LITSERVE
from bench.peers.mlflow import SYSTEMS as MLFLOW
from bench.peers.mlserver import SYSTEMS as MLSERVER
from bench.peers.ray import SYSTEMS as RAY
from bench.tandem import tandem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.system import System

QUICK = ("tandem", "naive", "mlflow-1")


def systems(*, quick: bool = False, names: Sequence[str] = ()) -> list[System]:
    """Tandem and all peers, or those named, or the two of a quick run. ValueError for an unknown name."""
    known = [tandem(), NAIVE, *MLFLOW, *BENTOML, *LITSERVE, *MLSERVER, *RAY, *FASTAPI]
    wanted = {"tandem", *names} if names else {*QUICK} if quick else {system.name for system in known}
    unknown = wanted - {system.name for system in known}
    if unknown:
        raise ValueError(f"no such peer: {', '.join(sorted(unknown))}")
    return [system for system in known if system.name in wanted]
