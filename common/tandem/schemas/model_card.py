"""What a worker tells of a model it has loaded, so that no function needs MLflow to know it."""

from typing import Any

from pydantic import BaseModel, ConfigDict


class ModelCard(BaseModel):
    """One served model at one alias. `inputs` and `outputs` are the MLflow signature's own specs."""

    model_config = ConfigDict(frozen=True, protected_namespaces=())

    model_name: str
    alias: str
    model_version: str
    model_run_id: str
    loaded_at: str
    """RFC 3339, UTC."""
    loaded_by: str
    """The node name of the worker."""
    metrics: dict[str, float]
    inputs: list[dict[str, Any]]
    outputs: list[dict[str, Any]]
    input_example: dict[str, Any] | None = None


class WorkerHeartbeat(BaseModel):
    """A live worker: which models it has loaded, and when it last said so."""

    model_config = ConfigDict(frozen=True)

    node: str
    seen_ms: int
    pool: str
    concurrency: int
    models: dict[str, str]
    """`name@alias` to version."""
