"""What one process of the worker holds: its models, its connection to the store, what is built on them."""

import gc
from dataclasses import dataclass

import redis

from tandem.backplane.claim_check import WRITE_ANSWER_SECONDS, ClaimCheck
from tandem.backplane.settings import Settings
from tandem.backplane.store import synchronous_client
from worker.model_loading import load_models
from worker.model_registry import ModelRegistry
from worker.predictor import Predictor


@dataclass(frozen=True)
class Process:
    """The wired parts of a process that predicts."""

    settings: Settings
    client: redis.Redis
    registry: ModelRegistry
    predictor: Predictor
    claim_check: ClaimCheck


_process: Process | None = None


def open_process(settings: Settings, node: str) -> Process:
    """Load the models, once however often it is asked; raises as `load_models` does."""
    global _process  # noqa: PLW0603  one per process, as the models in its memory are
    if _process is None:
        registry = load_models(settings, node)
        client = synchronous_client(settings.redis_url)
        predictor = Predictor(registry, client, settings)
        bucket = ClaimCheck(settings.payload_bucket, WRITE_ANSWER_SECONDS)
        _process = Process(settings, client, registry, predictor, bucket)
        gc.collect()
        gc.freeze()  # what MLflow and the models hold stays: looking through it takes a third of a second
    return _process


def process() -> Process:
    """This process's parts; raises RuntimeError in a process that loads no models."""
    if _process is None:
        raise RuntimeError("this process has loaded no models")
    return _process


def close_process() -> None:
    """Close the connections to the store and the bucket."""
    global _process  # noqa: PLW0603
    if _process is not None:
        _process.client.close()
        _process.claim_check.close()
        _process = None
