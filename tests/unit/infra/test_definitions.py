"""What brokers are given to import is the topology that workers declare."""

from __future__ import annotations

import json

from local.definitions import PATH, text
from tandem.backplane import topology


def test_the_committed_document_is_what_the_topology_makes() -> None:
    """Letter by letter; `python -m local.definitions` writes it anew."""
    assert PATH.read_text() == text()


def test_it_has_every_queue_that_a_message_can_be_sent_to() -> None:
    """By the names that functions and workers use, and the way to the dead for what ends badly."""
    document = json.loads(PATH.read_text())
    named = {queue["name"] for queue in document["queues"]}
    retries = {topology.retry_queue(seconds) for seconds in topology.RETRY_SECONDS}
    lanes = {*topology.QUEUE_OF_PRIORITY.values(), *topology.BULK_QUEUE_OF_PRIORITY.values()}
    assert named >= {topology.SYNC, topology.TRAINING, *lanes, *retries}
    assert [exchange["name"] for exchange in document["exchanges"]] == [topology.DEAD_LETTER_EXCHANGE]
    bound = {(binding["source"], binding["destination"]) for binding in document["bindings"]}
    dead = (topology.DEAD, topology.DEAD_RECORD)
    assert bound == {(topology.DEAD_LETTER_EXCHANGE, queue) for queue in dead}
    assert named >= set(dead)
