"""The queues, declared once: workers, `infra/rabbitmq/definitions.json` and tests take them from here.

    ml.sync   callers who wait for the answer and have no id: transient, dropped when their deadline passes
    ml.high   accepted work, first
    ml        accepted work; what a Celery client of one's own sends to
    ml.low    accepted work, last
    ml.bulk.high, ml.bulk, ml.bulk.low   chunks of batches, by priority; served when nothing else waits
    training  long work that never shares a worker with predictions
    ml.retry.<seconds>  work that waits to be tried again; from there the broker moves it to ml.high
    ml.dead   what ended badly, until somebody looks (worker/dead_letters.py)
    ml.dead.record  a copy of each, for the recorder that tells the caller (worker/dead_letter_recorder.py)

Accepted work lies in quorum queues: replicated, confirmed only when a majority has it, at most
MAX_DELIVERIES deliveries of one message, refused (and not silently dropped) when full. Priorities are
queues because quorum queues of RabbitMQ 3.10 refuse `x-max-priority`. `ml.sync` is a classic queue: its
messages are worth nothing after some seconds, so replicating them would cost time and buy nothing.
Redis as a broker knows none of these arguments; docs/03-delivery.md tells what differs.
"""

from typing import Any, Literal

from kombu import Connection, Exchange, Queue

SYNC = "ml.sync"
HIGH = "ml.high"
NORMAL = "ml"
LOW = "ml.low"
BULK_HIGH = "ml.bulk.high"
BULK = "ml.bulk"
BULK_LOW = "ml.bulk.low"
TRAINING = "training"
RETRY_SECONDS = (1, 4, 16, 60)
"""The pauses before further tries, the last for all that follow; each has a queue of its own."""
REDIS_RETRIES = "tandem:retry"
"""The same on Redis: one sorted set by when a message is due."""
DEAD = "ml.dead"
DEAD_RECORD = "ml.dead.record"
DEAD_LETTER_EXCHANGE = "ml.dlx"

PREDICTION_QUEUES = (SYNC, HIGH, NORMAL, LOW)
"""In the order in which a worker should serve them."""

BULK_QUEUES = (BULK_HIGH, BULK, BULK_LOW)
"""After all of those, and consumed apart from them (worker/lane_consumers.py)."""

MAX_DELIVERIES = 20
"""Deliveries of one message before the broker dead-letters it by itself. The worker, which can tell poison
from a store that is away, gives up after MAX_ATTEMPTS runs; this is for what never gets so far."""
MAX_BYTES = 2 * 1024**3
DEAD_DELIVERIES = 1_000_000
DEAD_TTL_MS = 14 * 24 * 3600 * 1000

Priority = Literal["high", "normal", "low"]
QUEUE_OF_PRIORITY: dict[Priority, str] = {"high": HIGH, "normal": NORMAL, "low": LOW}
BULK_QUEUE_OF_PRIORITY: dict[Priority, str] = {"high": BULK_HIGH, "normal": BULK, "low": BULK_LOW}

_DEFAULT_EXCHANGE = Exchange("")
_DEAD_LETTERS = Exchange(DEAD_LETTER_EXCHANGE, type="fanout", durable=True)


def retry_queue(seconds: int) -> str:
    """The queue in which work waits for a pause of RETRY_SECONDS."""
    return f"ml.retry.{seconds}"


_RETRY_SECONDS = {retry_queue(seconds): seconds for seconds in RETRY_SECONDS}


def _refuse_when_full(queue_max_length: int) -> dict[str, Any]:
    return {
        "x-max-length": queue_max_length,
        "x-max-length-bytes": MAX_BYTES,
        "x-overflow": "reject-publish",
    }


def arguments_of(name: str, queue_max_length: int) -> dict[str, Any]:
    """Arguments of one queue, as RabbitMQ takes them."""
    full = _refuse_when_full(queue_max_length)
    if name == SYNC:
        return {"x-queue-type": "classic", **full}
    if name in {DEAD, DEAD_RECORD}:
        # Looking at a dead letter and putting it back is a delivery; RabbitMQ 4 limits those to 20 by itself.
        return {
            "x-queue-type": "quorum",
            "x-message-ttl": DEAD_TTL_MS,
            "x-delivery-limit": DEAD_DELIVERIES,
            **full,
        }
    if name in _RETRY_SECONDS:
        # Back in the lane of high priority: it has waited already.
        return {
            "x-queue-type": "quorum",
            "x-message-ttl": _RETRY_SECONDS[name] * 1000,
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": HIGH,
            "x-dead-letter-strategy": "at-least-once",
            **full,
        }
    return {
        "x-queue-type": "quorum",
        "x-delivery-limit": MAX_DELIVERIES - 1,
        "x-dead-letter-exchange": DEAD_LETTER_EXCHANGE,
        "x-dead-letter-strategy": "at-least-once",
        **full,
    }


def queue(name: str, queue_max_length: int) -> Queue:
    """One queue: on the default exchange, so that its name is its address, or behind the dead letters'."""
    dead = name in {DEAD, DEAD_RECORD}
    return Queue(
        name,
        exchange=_DEAD_LETTERS if dead else _DEFAULT_EXCHANGE,
        routing_key=name,
        durable=True,
        queue_arguments=arguments_of(name, queue_max_length),
    )


def queues(queue_max_length: int) -> list[Queue]:
    """Every queue there is, in the order of serving."""
    names = (*PREDICTION_QUEUES, *BULK_QUEUES, TRAINING, *_RETRY_SECONDS, DEAD, DEAD_RECORD)
    return [queue(name, queue_max_length) for name in names]


def declare(connection: Connection, queue_max_length: int) -> None:
    """Declare every exchange, queue and binding on RabbitMQ; Redis as a broker has nothing to declare.

    Raises amqp.exceptions.PreconditionFailed where a queue exists with other arguments.
    """
    if connection.transport.driver_type == "redis":
        return
    for one in queues(queue_max_length):
        one(connection.default_channel).declare()


def definitions(queue_max_length: int, vhost: str = "/") -> dict[str, Any]:
    """The same as a RabbitMQ definitions document, for whoever declares by import."""
    declared = queues(queue_max_length)
    return {
        "exchanges": [
            {
                "name": DEAD_LETTER_EXCHANGE,
                "vhost": vhost,
                "type": "fanout",
                "durable": True,
                "auto_delete": False,
                "internal": False,
                "arguments": {},
            }
        ],
        "queues": [
            {
                "name": one.name,
                "vhost": vhost,
                "durable": True,
                "auto_delete": False,
                "arguments": one.queue_arguments,
            }
            for one in declared
        ],
        "bindings": [
            {
                "source": DEAD_LETTER_EXCHANGE,
                "vhost": vhost,
                "destination": one.name,
                "destination_type": "queue",
                "routing_key": one.name,
                "arguments": {},
            }
            for one in declared
            if one.exchange.name
        ],
    }
