"""How much waits where, asked of a real RabbitMQ."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kombu import Connection

from tandem.backplane import topology
from tandem.backplane.broker import BrokerConnection
from tandem.backplane.message import Message
from tandem.backplane.queue_depths import WORK_QUEUES, read_queues
from tandem.backplane.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable


def test_every_queue_of_rabbitmq_is_counted(rabbitmq_vhost: Callable[[], str]) -> None:
    """A queue that was never declared is none, and does not keep the others from being counted."""
    given = Settings(broker_url=rabbitmq_vhost())
    missing = read_queues(given)
    assert {queue.depth for queue in missing.queues} == {None}
    with Connection(given.broker_url) as connection:
        topology.declare(connection, given.queue_max_length)
        waiting = (topology.NORMAL, topology.NORMAL, topology.DEAD, topology.retry_queue(60))
        publishing = BrokerConnection(given.broker_url, given.queue_max_length)
        for number, name in enumerate(waiting):
            publishing.publish([Message(str(number), name, b"{}", {}, durable=True)])
        publishing.close()
        with connection.Consumer(topology.queue(topology.SYNC, given.queue_max_length), auto_declare=False):
            found = read_queues(given)
    counted = {queue.name: (queue.depth, queue.consumers) for queue in found.queues}
    expected = dict.fromkeys(WORK_QUEUES, (0, 0)) | {topology.NORMAL: (2, 0), topology.SYNC: (0, 1)}
    assert counted == expected
    assert (found.broker, found.waiting_to_retry, found.dead_letters) == ("rabbitmq", 1, 1)
