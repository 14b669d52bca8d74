"""What can pass is put off for a pause that grows, and not past its caller's patience."""

from __future__ import annotations

import random
import time
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from tandem.backplane.message import HEADER, delivery_header
from tandem.backplane.topology import HIGH, RETRY_SECONDS, arguments_of, retry_queue
from worker import retries
from worker.tasks import Received
from worker.work import work_of

if TYPE_CHECKING:
    from tandem.backplane.message import Message

SEEDS = 20


def received(tries: int, *, deadline_ms: int = 0) -> Received:
    """A message that has been put off `tries` times."""
    header = {**delivery_header(submitted_ms=1, deadline_ms=deadline_ms), "retries": tries}
    work = work_of("id", header, ("features",), [{}], {}, model="m")
    return Received("predict_match", "id", header, [{}], {}, "ml", work)


def put_off(tries: int) -> list[Message]:
    """What is sent instead of such a message, by many dice."""
    made = []
    for seed in range(SEEDS):
        random.seed(seed)
        made.append(retries._again(received(tries)))
    return made


@pytest.mark.parametrize("tries", range(5))
def test_a_pause_is_between_half_of_its_step_and_the_whole(tries: int) -> None:
    """Steps grow and the last is for all that follow; what failed together does not come back together."""
    step = RETRY_SECONDS[min(tries, len(RETRY_SECONDS) - 1)]
    pauses = [message.expiration_seconds or 0 for message in put_off(tries)]
    assert all(step / 2 <= pause <= step for pause in pauses)
    assert len(set(pauses)) == SEEDS


def test_pauses_grow_up_to_a_bound() -> None:
    """The longest of one step is not longer than the shortest of the next."""
    pauses = [[message.expiration_seconds or 0 for message in put_off(tries)] for tries in range(5)]
    for shorter, longer in pairwise(pauses[:4]):
        assert max(shorter) <= min(longer)
    assert max(pauses[4]) <= max(RETRY_SECONDS)
    assert {message.queue for message in put_off(1000)} == {retry_queue(max(RETRY_SECONDS))}


@pytest.mark.parametrize("tries", range(5))
def test_what_is_put_off_waits_where_the_pause_is_the_longest(tries: int) -> None:
    """The queue would end the pause by itself, and gives it back to the lane of high priority."""
    [message, *_] = put_off(tries)
    arguments = arguments_of(message.queue, 1)
    assert (message.expiration_seconds or 0) * 1000 <= arguments["x-message-ttl"]
    assert arguments["x-dead-letter-routing-key"] == HIGH
    assert message.durable
    assert message.headers["id"] == message.task_id == "id"
    assert message.headers[HEADER]["retries"] == tries + 1


def test_who_sent_no_header_of_ours_is_counted_too() -> None:
    """A foreign client's message has one from its first pause on."""
    work = work_of("id", None, ("features",), [{}], {}, model="m")
    foreign = Received("predict_match", "id", None, [{}], {}, "ml", work)
    header: Any = retries._again(foreign).headers[HEADER]
    assert work_of("id", header, ("features",), [{}], {}, model="m").retries == 1


@pytest.mark.parametrize("tries", range(5))
def test_a_caller_who_is_gone_before_the_pause_is_over_is_not_put_off(tries: int) -> None:
    """Nobody would read the answer; without a deadline there is always time."""
    step_ms, now_ms = RETRY_SECONDS[min(tries, len(RETRY_SECONDS) - 1)] * 1000, int(time.time() * 1000)
    assert retries.may_wait(received(tries).work)
    assert not retries.may_wait(received(tries, deadline_ms=now_ms + step_ms // 2).work)
    assert retries.may_wait(received(tries, deadline_ms=now_ms + step_ms + 60_000).work)
