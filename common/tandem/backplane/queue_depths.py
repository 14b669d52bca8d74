"""How much waits where: asked of the broker itself, over a connection that lives as long as the question."""

from collections.abc import Sequence

from tandem.backplane.broker import BrokerConnection
from tandem.backplane.errors import BrokerUnavailable, StoreUnavailable
from tandem.backplane.settings import Settings
from tandem.backplane.store import store_errors, synchronous_client
from tandem.backplane.topology import (
    BULK_QUEUES,
    DEAD,
    PREDICTION_QUEUES,
    REDIS_RETRIES,
    RETRY_SECONDS,
    TRAINING,
    retry_queue,
)
from tandem.schemas.operations import QueuesAnswer, QueueStatus

WORK_QUEUES = (*PREDICTION_QUEUES, *BULK_QUEUES, TRAINING)
RETRY_QUEUES = tuple(retry_queue(seconds) for seconds in RETRY_SECONDS)


def read_queues(settings: Settings) -> QueuesAnswer:
    """What every queue holds now; raises BrokerUnavailable."""
    if settings.broker_is_redis:
        return _of_redis(settings)
    found = _of_rabbitmq(settings, (*WORK_QUEUES, *RETRY_QUEUES, DEAD))
    return QueuesAnswer(
        broker="rabbitmq",
        queues=[found[name] for name in WORK_QUEUES],
        waiting_to_retry=sum(found[name].depth or 0 for name in RETRY_QUEUES),
        dead_letters=found[DEAD].depth or 0,
    )


def _of_rabbitmq(settings: Settings, names: Sequence[str]) -> dict[str, QueueStatus]:
    connection = BrokerConnection(settings.broker_url, settings.queue_max_length)
    try:
        found = {name: connection.depth(name) or (None, None) for name in names}
    finally:
        connection.close()
    return {name: QueueStatus(name=name, depth=found[name][0], consumers=found[name][1]) for name in names}


def _of_redis(settings: Settings) -> QueuesAnswer:
    client = synchronous_client(settings.broker_url)
    try:
        with store_errors(), client.pipeline(transaction=False) as pipeline:
            for name in (*WORK_QUEUES, DEAD):
                pipeline.llen(name)
            pipeline.zcard(REDIS_RETRIES)
            *depths, dead, retrying = pipeline.execute()
    except StoreUnavailable as error:
        raise BrokerUnavailable("The broker did not answer.") from error
    finally:
        client.close()
    return QueuesAnswer(
        broker="redis",
        queues=[
            QueueStatus(name=name, depth=depth, consumers=None)
            for name, depth in zip(WORK_QUEUES, depths, strict=True)
        ],
        waiting_to_retry=retrying,
        dead_letters=dead,
    )
