"""Which messages share a batch, in which order, and how they are acknowledged."""

from __future__ import annotations

import time
import uuid
from collections import deque
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tandem.backplane.message import delivery_header
from tandem.backplane.topology import HIGH, LOW, NORMAL, SYNC
from worker import accepted_share, batching
from worker.accepted_share import BESIDE_SECONDS
from worker.batch import MAX_BYTES, Held
from worker.batch_cost import BatchCost
from worker.batch_pools import MAX_ROWS
from worker.batching import MicroBatcher
from worker.tasks import Verdict, predict

if TYPE_CHECKING:
    from collections.abc import Callable

KWARGS: dict[str, Any] = {"features": {"action": "echo"}}


class Request:
    """A message as Celery's main process knows it."""

    name = "predict"

    def __init__(self, message: Message) -> None:
        self.id = str(uuid.uuid4())
        self.message = message
        self.acknowledged = False

    def send_event(self, *_: Any, **__: Any) -> None:
        """Nobody listens."""

    def reject(self, *, requeue: bool) -> None:
        """Give the message back, or up."""
        self.message.channel.rejected.append((self.message.delivery_tag, requeue))


class Channel:
    """The broker's end: which tags it was told of, as AMQP understands them."""

    def __init__(self) -> None:
        self.open: set[int] = set()
        self.frames = 0
        self.rejected: list[tuple[int, bool]] = []

    def ack(self, tag: int, *, multiple: bool) -> None:
        """Acknowledge one, or all up to it."""
        self.frames += 1
        self.open -= {known for known in self.open if known <= tag} if multiple else {tag}


class Message:
    """A delivery that is not acknowledged yet."""

    def __init__(self, channel: Channel, tag: int, queue: str, size: int, *, redelivered: bool) -> None:
        self.channel, self.delivery_tag, self.body = channel, tag, b" " * size
        self.delivery_info = {"routing_key": queue, "redelivered": redelivered}
        channel.open.add(tag)

    def ack_log_error(self, _log: Any, _errors: Any, *, multiple: bool = False) -> None:
        """As kombu's."""
        self.channel.ack(self.delivery_tag, multiple=multiple)


class Pool:
    """A pool that keeps what it is given for the test to end."""

    limit = 1

    def __init__(self) -> None:
        self.batches: list[list[Held]] = []

    def apply_async(self, _target: Any, args: tuple[list[Held]], **_: Any) -> None:
        """Take a batch."""
        self.batches.append(args[0])


class Consumer:
    """A consumer on a broker with messages that arrive when it looks."""

    connection_errors = (OSError,)

    def __init__(self) -> None:
        self.pool = Pool()
        self.channel = Channel()
        self.arriving: deque[Callable[[], None]] = deque()
        self.due: deque[Callable[[], None]] = deque()
        self.later: dict[float, Callable[[], None]] = {}
        self.hub = SimpleNamespace(timer=SimpleNamespace(call_after=self._call_after))
        self.micro_batcher: MicroBatcher | None = None
        self.reconnect()

    def reconnect(self) -> None:
        """Lose the connection and have a new one."""
        transport = SimpleNamespace(driver_type="amqp")
        self.connection = SimpleNamespace(transport=transport, drain_events=self._drain)

    def _drain(self, timeout: float) -> None:  # noqa: ARG002  it never waits
        if not self.arriving:
            raise TimeoutError
        self.arriving.popleft()()

    def _call_after(self, seconds: float, call: Callable[[], None]) -> None:
        if seconds:
            self.later[seconds] = call
        else:
            self.due.append(call)

    def wake(self) -> None:
        """Let the time pass that somebody asked to be waked after."""
        while self.later:
            self.later.popitem()[1]()

    def turn(self) -> None:
        """One turn of the event loop."""
        for _ in range(len(self.due)):
            self.due.popleft()()


@pytest.fixture
def consumer() -> Consumer:
    """A consumer with nothing in hand."""
    return Consumer()


class WellKnown(BatchCost):
    """The cost of a model that has run in batches of any size, and takes no time."""

    def __init__(self) -> None:
        super().__init__()
        self._largest = MAX_ROWS


@pytest.fixture
def batcher(consumer: Consumer, monkeypatch: pytest.MonkeyPatch) -> MicroBatcher:
    """Its batcher, past its first batches."""
    monkeypatch.setattr(batching, "BatchCost", WellKnown)
    return MicroBatcher.of(consumer)


def held(
    consumer: Consumer,
    queue: str = NORMAL,
    *,
    channel: Channel | None = None,
    size: int = 10,
    redelivered: bool = False,
    submitted_ms: int = 1,
    deadline_ms: int = 0,
    model: str = "probe",
) -> Held:
    """A message in hand, with the next delivery tag."""
    channel = channel or consumer.channel
    tag = max(channel.open, default=0) + 1
    message = Message(channel, tag, queue, size, redelivered=redelivered)
    request = Request(message)
    header = delivery_header(submitted_ms=submitted_ms, deadline_ms=deadline_ms)
    return Held(request, message, predict.received(request.id, header, [], {**KWARGS, "model": model}, queue))


def queues_of(batch: list[Held]) -> list[str]:
    """Where the messages of a batch came from."""
    return [one.received.queue for one in batch]


def test_waiting_callers_go_first(consumer: Consumer, batcher: MicroBatcher) -> None:
    """Then high, normal and low, whatever came first."""
    for queue in (LOW, NORMAL, SYNC, HIGH, NORMAL, SYNC):
        batcher.add(held(consumer, queue))
    consumer.turn()
    [batch] = consumer.pool.batches
    assert queues_of(batch) == [SYNC, SYNC, HIGH, NORMAL, NORMAL, LOW]


def test_what_has_arrived_meanwhile_is_taken_along(consumer: Consumer, batcher: MicroBatcher) -> None:
    """One message wakes the worker; the others that are there share its batch."""
    for _ in range(5):
        consumer.arriving.append(lambda: batcher.add(held(consumer)))
    batcher.add(held(consumer))
    consumer.turn()
    assert [len(batch) for batch in consumer.pool.batches] == [6]


def test_a_redelivered_message_runs_alone(consumer: Consumer, batcher: MicroBatcher) -> None:
    """After the others, which do not wait for it."""
    for redelivered in (False, False, True, True, False):
        batcher.add(held(consumer, redelivered=redelivered))
    consumer.pool.limit = 10
    for _ in range(4):
        consumer.turn()
    assert [len(batch) for batch in consumer.pool.batches] == [3, 1, 1]
    assert [batch[0].alone for batch in consumer.pool.batches] == [False, True, True]


def test_a_batch_is_of_one_model(consumer: Consumer, batcher: MicroBatcher) -> None:
    """So that nobody waits for a slower one; the others follow in a batch of their own."""
    consumer.pool.limit = 10
    for model in ("probe", "other", "probe", "other", "probe"):
        batcher.add(held(consumer, model=model))
    for _ in range(3):
        consumer.turn()
    asked = [[one.received.kwargs["model"] for one in batch] for batch in consumer.pool.batches]
    assert asked == [["probe"] * 3, ["other"] * 2]


def test_a_batch_has_a_largest_size(consumer: Consumer, batcher: MicroBatcher) -> None:
    """In rows; the rest waits for the next one, which starts when this one is settled."""
    for _ in range(MAX_ROWS + 3):
        batcher.add(held(consumer))
    consumer.turn()
    consumer.turn()
    assert [len(batch) for batch in consumer.pool.batches] == [MAX_ROWS]
    batcher._settle(consumer.pool.batches[0], [Verdict.ACKNOWLEDGE] * MAX_ROWS, 0.1)
    consumer.turn()
    assert [len(batch) for batch in consumer.pool.batches] == [MAX_ROWS, 3]


def test_a_batch_has_a_largest_size_in_bytes(consumer: Consumer, batcher: MicroBatcher) -> None:
    """One message over it still runs, by itself."""
    consumer.pool.limit = 10
    for size in (MAX_BYTES + 1, MAX_BYTES // 2, MAX_BYTES // 2, 1):
        batcher.add(held(consumer, size=size))
    for _ in range(3):
        consumer.turn()
    assert [len(batch) for batch in consumer.pool.batches] == [1, 2, 1]


def test_a_slow_model_does_not_hold_the_worker_for_long(consumer: Consumer, batcher: MicroBatcher) -> None:
    """Where rows are known to cost time, a batch is as long as whoever comes meanwhile may wait."""
    model = held(consumer).model
    for rows in (1, 11) * 3:
        batcher._cost_of(model).learn(rows, rows * 0.11)
    for _ in range(20):
        batcher.add(held(consumer))
    consumer.turn()
    [batch] = consumer.pool.batches
    assert len(batch) == 4


def test_a_caller_with_little_time_left_is_not_kept_by_a_large_batch(
    consumer: Consumer, batcher: MicroBatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where rows are known to cost time, as many go as fit before the caller leaves."""
    monkeypatch.setattr("worker.batch.ROWS_SECONDS", 1000.0)
    model = held(consumer).model
    for rows in (1, 11) * 3:
        batcher._cost_of(model).learn(rows, rows * 10.0)
    deadline_ms = int((time.time() + 65) * 1000)
    for _ in range(20):
        batcher.add(held(consumer, SYNC, deadline_ms=deadline_ms))
    consumer.turn()
    [batch] = consumer.pool.batches
    assert len(batch) == 6


def test_what_a_lost_connection_held_is_dropped(consumer: Consumer, batcher: MicroBatcher) -> None:
    """It is delivered again over the new one, by a batcher of its own; nothing runs from the old."""
    batcher.add(held(consumer))
    consumer.reconnect()
    consumer.turn()
    assert consumer.pool.batches == []
    assert MicroBatcher.of(consumer) is not batcher
    assert MicroBatcher.of(consumer) is MicroBatcher.of(consumer)


def test_a_batch_with_nothing_older_in_hand_is_acknowledged_in_one_frame(
    consumer: Consumer, batcher: MicroBatcher
) -> None:
    """However many it has."""
    for _ in range(9):
        batcher.add(held(consumer))
    consumer.turn()
    batcher._settle(consumer.pool.batches[0], [Verdict.ACKNOWLEDGE] * 9, 0.1)
    assert (consumer.channel.open, consumer.channel.frames) == (set(), 1)


def test_an_older_message_still_in_hand_is_not_acknowledged_with_the_others(
    consumer: Consumer, batcher: MicroBatcher
) -> None:
    """A waiting caller overtakes it, and its tag is lower."""
    consumer.pool.limit = 10
    batcher.add(held(consumer, NORMAL, size=MAX_BYTES))
    batcher.add(held(consumer, SYNC))
    batcher.add(held(consumer, SYNC))
    consumer.turn()
    batcher._settle(consumer.pool.batches[0], [Verdict.ACKNOWLEDGE] * 2, 0.1)
    assert consumer.channel.open == {1}
    assert consumer.channel.frames == 2


def test_a_defect_in_a_batch_sends_it_back_and_the_worker_goes_on(
    consumer: Consumer, batcher: MicroBatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What never raises has raised: nobody waits for the end of that batch, and the defect is not hidden."""

    def raise_it(_: object) -> None:
        raise LookupError("a defect")

    monkeypatch.setattr("worker.batching.execute", raise_it)
    consumer.hub.call_soon = lambda settle, *given: settle(*given)
    batcher.add(held(consumer))
    consumer.turn()
    with pytest.raises(LookupError):
        batcher._run(consumer.pool.batches[0])
    assert consumer.channel.rejected == [(1, True)]
    batcher.add(held(consumer))
    consumer.turn()
    assert len(consumer.pool.batches) == 2


def test_callers_are_acknowledged_together_beside_older_accepted_work(
    consumer: Consumer, batcher: MicroBatcher
) -> None:
    """Theirs come on a channel of their own; what rides along is acknowledged on the other, by itself."""
    callers = Channel()
    older = held(consumer, model="other")
    batcher.add(older)
    for _ in range(2):
        batcher.add(held(consumer))
    for _ in range(3):
        batcher.add(held(consumer, SYNC, channel=callers))
    batch = [one for lane in (SYNC, NORMAL) for one in batcher._lanes[lane] if one is not older]
    batcher._running += 1
    batcher._settle(batch, [Verdict.ACKNOWLEDGE] * len(batch), 0.1)
    assert (callers.open, callers.frames) == (set(), 1)
    assert (consumer.channel.open, consumer.channel.frames) == ({1}, 2)


def test_what_goes_back_or_to_the_dead_is_not_acknowledged(consumer: Consumer, batcher: MicroBatcher) -> None:
    """Each message has its own verdict, and one that is not to be acknowledged never is, by no other's."""
    for _ in range(4):
        batcher.add(held(consumer))
    consumer.turn()
    verdicts = [Verdict.REQUEUE, Verdict.ACKNOWLEDGE, Verdict.DEAD_LETTER, Verdict.ACKNOWLEDGE]
    batcher._settle(consumer.pool.batches[0], verdicts, 0.1)
    assert sorted(consumer.channel.rejected) == [(1, True), (3, False)]
    assert consumer.channel.open == {1, 3}


def test_while_callers_come_rows_that_nobody_waits_for_are_few(
    consumer: Consumer, batcher: MicroBatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside waiting callers and between them; once none has come for a while, batches are full again."""
    clock = [100.0]
    monkeypatch.setattr("worker.batching.time.monotonic", lambda: clock[0])
    model = held(consumer).model
    for rows in (1, 11) * 3:
        batcher._cost_of(model).learn(rows, rows * BESIDE_SECONDS / 5)
    for queue in (SYNC, SYNC, *[NORMAL] * 30):
        batcher.add(held(consumer, queue))
    sizes = []
    for _ in range(2):
        consumer.turn()
        batch = consumer.pool.batches[-1]
        batcher._settle(batch, [Verdict.ACKNOWLEDGE] * len(batch), BESIDE_SECONDS / 5 * len(batch))
        sizes.append(queues_of(batch))
    clock[0] += accepted_share.COMING_SECONDS + 1
    consumer.turn()
    assert sizes == [[SYNC] * 2 + [NORMAL] * 5, [NORMAL] * 5]
    assert len(consumer.pool.batches[-1]) == 20


@pytest.mark.parametrize(("asked_ago", "waited"), [(2, 2), (0.1, 0.5), (-3600, 0.5), (3600, 0.5)])
def test_what_a_caller_has_waited(
    consumer: Consumer, monkeypatch: pytest.MonkeyPatch, asked_ago: float, waited: float
) -> None:
    """Since its request, and where the clocks do not agree, at least since the message came."""
    clock = [100.0]
    monkeypatch.setattr("worker.batch.time.monotonic", lambda: clock[0])
    monkeypatch.setattr("worker.batch.time.time", lambda: 1_800_000_000.0)
    one = held(consumer, SYNC, submitted_ms=int((1_800_000_000 - asked_ago) * 1000))
    clock[0] += 0.5
    assert one.waited == pytest.approx(waited)


def test_callers_are_read_whatever_else_is_in_hand(consumer: Consumer, batcher: MicroBatcher) -> None:
    """And of the others no more than a batch, so that other workers have something to do."""
    for _ in range(MAX_ROWS):
        batcher.add(held(consumer))
    for _ in range(3):
        consumer.arriving.append(lambda: batcher.add(held(consumer, SYNC)))
    assert (batcher._has_room_for(SYNC), batcher._has_room_for(NORMAL)) == (True, False)
    consumer.turn()
    assert queues_of(consumer.pool.batches[0]).count(SYNC) == 3


def test_between_callers_accepted_work_rests(
    consumer: Consumer, batcher: MicroBatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The longer, the more callers wait at a time; it is waked when that is over, a caller at once."""
    clock = [100.0]
    monkeypatch.setattr("worker.batching.time.monotonic", lambda: clock[0])

    def settle(seconds: float) -> None:
        batch = consumer.pool.batches[-1]
        batcher._settle(batch, [Verdict.ACKNOWLEDGE] * len(batch), seconds)

    for _ in range(2):
        batcher.add(held(consumer, SYNC))
    consumer.turn()
    clock[0] += 0.5
    settle(0.5)  # two for half of the last second, which is one at a time
    for _ in range(2):
        batcher.add(held(consumer, NORMAL, size=MAX_BYTES))
    consumer.turn()
    settle(0.01)
    consumer.turn()
    assert [queues_of(batch) for batch in consumer.pool.batches] == [[SYNC] * 2, [NORMAL]]
    [rest] = consumer.later
    assert rest == pytest.approx(0.01 * accepted_share.AROUND)
    batcher.add(held(consumer, SYNC))
    consumer.turn()
    settle(0.01)
    consumer.turn()
    clock[0] += 0.1
    consumer.wake()
    consumer.turn()
    assert [queues_of(batch) for batch in consumer.pool.batches[2:]] == [[SYNC], [NORMAL]]


def thirty_callers(
    consumer: Consumer, batcher: MicroBatcher, clock: list[float], *, row_seconds: float
) -> list[list[str]]:
    """Where the messages of thirty batches came from, a tenth of a second and a caller for each."""
    served = []
    for _ in range(30):
        clock[0] += 0.1
        batcher.add(held(consumer, SYNC))
        consumer.turn()
        batch = consumer.pool.batches[-1]
        served.append(queues_of(batch))
        batcher._settle(batch, [Verdict.ACKNOWLEDGE] * len(batch), row_seconds * len(batch))
    return served


def test_accepted_work_of_another_model_is_not_left_behind_by_callers_without_end(
    consumer: Consumer, batcher: MicroBatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It cannot go along with theirs; after a while it goes first for once, and theirs goes on."""
    clock = [100.0]
    monkeypatch.setattr("worker.batching.time.monotonic", lambda: clock[0])
    batcher.add(held(consumer, NORMAL, model="other"))
    served = thirty_callers(consumer, batcher, clock, row_seconds=0.05)
    assert served.count([NORMAL]) == 1


@pytest.mark.parametrize("redelivered", [False, True])
def test_what_rides_along_with_callers_is_not_due_besides(
    consumer: Consumer, batcher: MicroBatcher, monkeypatch: pytest.MonkeyPatch, *, redelivered: bool
) -> None:
    """However long it has been in hand, while callers' batches take some along; one that cannot ride is."""
    clock = [100.0]
    monkeypatch.setattr("worker.batching.time.monotonic", lambda: clock[0])
    monkeypatch.setattr(batcher._share, "riding_seconds", lambda: 1e-9)
    cost = batcher._cost_of(held(consumer).model)
    for rows in (1, 11) * 3:
        cost.learn(rows, rows / 1000)
    if redelivered:
        batcher.add(held(consumer, redelivered=True))
    for _ in range(MAX_ROWS):
        batcher.add(held(consumer))
    served = thirty_callers(consumer, batcher, clock, row_seconds=0.001)
    assert sum(SYNC in one and one.count(NORMAL) == 1 for one in served) == 30 - redelivered
    assert served.count([NORMAL]) == redelivered


def test_without_callers_lanes_keep_their_order(
    consumer: Consumer, batcher: MicroBatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long what is less urgent has been in hand."""
    clock = [100.0]
    monkeypatch.setattr("worker.batching.time.monotonic", lambda: clock[0])
    batcher.add(held(consumer, LOW, model="other"))
    clock[0] += 10 * accepted_share.COMING_SECONDS
    batcher.add(held(consumer, HIGH))
    consumer.turn()
    assert queues_of(consumer.pool.batches[0]) == [HIGH]
