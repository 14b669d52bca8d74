"""What an operator reads: the queues, and the workers that live."""

from pydantic import BaseModel, ConfigDict


class QueueStatus(BaseModel):
    """One queue. `depth` counts messages that no worker has taken yet."""

    name: str
    depth: int | None
    """None where the broker has no such queue: its topology was not applied."""
    consumers: int | None
    """Connections that take from it; None where the broker does not know, as Redis does not."""


class QueuesAnswer(BaseModel):
    """Every queue that work waits in, by the order of serving."""

    broker: str
    """rabbitmq or redis."""
    queues: list[QueueStatus]
    waiting_to_retry: int
    """Tasks in a pause before another try."""
    dead_letters: int
    """What ended badly and nobody has looked at; `python -m worker.dead_letters list` does."""


class WorkerModel(BaseModel):
    """One model in a worker's memory."""

    model_config = ConfigDict(protected_namespaces=())

    model_name: str
    alias: str
    model_version: str


class WorkerStatus(BaseModel):
    """One live worker."""

    node: str
    pool: str
    concurrency: int
    models: list[WorkerModel]
    seen_at: str
    """When it last said so; RFC 3339, UTC."""


class WorkersAnswer(BaseModel):
    """The workers heard of within the last seconds, by name."""

    workers: list[WorkerStatus]
