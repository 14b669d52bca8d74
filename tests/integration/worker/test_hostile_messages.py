"""What anybody who reaches the broker can put into a queue: no worker dies of it, nothing of it runs."""

from __future__ import annotations

import asyncio
import json
import pickle
import time
import uuid
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
import redis
import redis.asyncio
from kombu import Connection, Producer

from tandem.backplane.dead_letter_queue import DeadLetter, peek, purge
from tandem.backplane.settings import Settings
from tandem.backplane.task_scripts import meta_key, record_key
from tandem.backplane.task_store import TaskStore
from tandem.backplane.topology import NORMAL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from celery import Celery

    from tests.integration.conftest import LiveWorker

pytestmark = pytest.mark.timeout(400)

ANSWER_SECONDS = 30
BOMB_BYTES = 64_000_000
NO_CALLBACKS: dict[str, Any] = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}


@dataclass
class Hostile:
    """A message as it is put on the wire; as it stands, a good one."""

    task_id: str
    trace: Path
    body: bytes = b""
    headers: dict[str, Any] = field(default_factory=dict)
    content_type: str = "application/json"
    content_encoding: str = "utf-8"

    def __post_init__(self) -> None:
        self.body = self.body_of()
        self.headers = {"lang": "py", "task": "predict", "id": self.task_id}

    def body_of(self, embed: dict[str, Any] | None = None, **features: object) -> bytes:
        """The body of a good task of the probe."""
        row = {"action": "echo", "trace": str(self.trace), **features}
        return json.dumps(
            [[], {"model": "probe", "features": row}, {**NO_CALLBACKS, **(embed or {})}]
        ).encode()

    def signature(self) -> dict[str, Any]:
        """Another task, as a callback or a link of a chain names it."""
        kwargs = {"model": "probe", "features": {"action": "echo", "trace": str(self.trace)}}
        return {"task": "predict", "args": [], "kwargs": kwargs, "options": {}, "immutable": True}


class Opens:
    """An object that opens a file as soon as it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> Any:
        return open, (str(self.trace), "w")


def _pickle(message: Hostile) -> None:
    message.content_type, message.content_encoding = "application/x-python-serialize", "binary"
    message.body = pickle.dumps(Opens(message.trace))


def _compressed(message: Hostile, body: bytes) -> None:
    message.headers["compression"] = "application/x-gzip"
    message.body = zlib.compress(body)


def _body(message: Hostile, body: bytes) -> None:
    message.body = body


HOSTILE: dict[str, Callable[[Hostile], object]] = {
    "pickle": _pickle,
    "a string": lambda message: _body(message, b'"hello"'),
    "an object": lambda message: _body(message, b"{}"),
    "deep": lambda message: _body(message, b"[" * 10_000 + b"]" * 10_000),
    "long integer": lambda message: _body(
        message, message.body_of(count=123456789).replace(b"123456789", b"9" * 5000)
    ),
    "NaN": lambda message: _body(message, message.body_of(seconds=float("nan"))),
    "gzip": lambda message: _compressed(message, message.body),
    "gzip bomb": lambda message: _compressed(message, b"0" * BOMB_BYTES),
    "unknown compression": lambda message: message.headers.update(compression="none-such"),
    "callbacks": lambda message: _body(message, message.body_of({"callbacks": [message.signature()]})),
    "errbacks": lambda message: _body(message, message.body_of({"errbacks": [message.signature()]})),
    "chain": lambda message: _body(message, message.body_of({"chain": [message.signature()]})),
    "chord": lambda message: _body(message, message.body_of({"chord": message.signature()})),
    "unknown task": lambda message: message.headers.update(task="os.system"),
    "a task of Celery's": lambda message: message.headers.update(task="celery.map"),
    "a task that is no name": lambda message: message.headers.update(task=["predict"]),
    "no headers": lambda message: message.headers.clear(),
    "other content type": lambda message: setattr(message, "content_type", "text/plain"),
    "other encoding": lambda message: setattr(message, "content_encoding", "utf-7"),
    "empty": lambda message: _body(message, b""),
    "garbage": lambda message: _body(message, bytes(range(256)) * 4),
    "too large": lambda message: _body(message, message.body_of(action="x" * 6_000_001)),
    "eta": lambda message: message.headers.update(eta="2999-01-01T00:00:00+00:00"),
    "expires": lambda message: message.headers.update(expires="nonsense"),
    "a long id": lambda message: message.headers.update(id="x" * 5000),
    "a number as id": lambda message: message.headers.update(id=7),
}

HOSTS = [("redis", "solo"), ("rabbitmq", "solo"), ("redis", "prefork"), ("rabbitmq", "prefork")]


@pytest.fixture(scope="module", params=HOSTS, ids="-".join)
def worker(
    request: pytest.FixtureRequest,
    live_worker: Callable[..., LiveWorker],
    redis_database: Callable[[], str],
) -> Iterator[LiveWorker]:
    """A ready worker of one pool on one broker."""
    broker, pool = request.param
    broker_url = redis_database() if broker == "redis" else request.getfixturevalue("rabbitmq_vhost")()
    made = live_worker(broker_url=broker_url, redis_url=redis_database(), pool=pool, SERVED_MODELS="probe")
    made.start_and_wait()
    yield made
    made.stop()


@pytest.fixture
def client(worker: LiveWorker, client_of: Callable[[LiveWorker], Celery]) -> Celery:
    """A user's own Celery client."""
    return client_of(worker)


@pytest.fixture
def settings(worker: LiveWorker) -> Iterator[Settings]:
    """The worker's broker and store; no dead letters are left behind."""
    made = Settings(broker_url=worker.broker_url, redis_url=worker.redis_url)
    yield made
    purge(made, lambda _: True)


@pytest.fixture
def store(worker: LiveWorker) -> Iterator[redis.Redis]:
    """The worker's store."""
    with redis.Redis.from_url(worker.redis_url) as made:
        yield made


def accept(settings: Settings, task_id: str) -> None:
    """Write the record that a caller was promised."""

    async def write() -> None:
        async with redis.asyncio.Redis.from_url(settings.redis_url) as client:
            assert await TaskStore(client, settings).accept(task_id, 600)

    asyncio.run(write())


def put(worker: LiveWorker, message: Hostile) -> None:
    """Put it into the queue as it is."""
    with Connection(worker.broker_url) as connection:
        Producer(connection.default_channel, auto_declare=False).publish(
            message.body,
            routing_key=NORMAL,
            headers=message.headers,
            content_type=message.content_type,
            content_encoding=message.content_encoding,
            correlation_id=message.task_id,
        )


def answers(client: Celery) -> bool:
    """Whether a good task, sent now, gets its answer."""
    kwargs = {"model": "probe", "features": {"action": "echo", "count": 5}}
    result = client.send_task("predict", kwargs=kwargs, queue=NORMAL, declare=[])
    return bool(result.get(timeout=ANSWER_SECONDS)["prediction"]["output"]["count"] == 5)


def wait_for(truth: Callable[[], object], what: str) -> None:
    """Wait until it is so; fail after a bound."""
    deadline = time.monotonic() + ANSWER_SECONDS
    while not truth():
        assert time.monotonic() < deadline, f"never came: {what}"
        time.sleep(0.05)


def only_letter(settings: Settings) -> DeadLetter:
    """The one dead letter that there is, or will be soon."""
    wait_for(lambda: peek(settings), "the dead letter")
    [letter] = peek(settings)
    return letter


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_message_is_dead_lettered_and_its_caller_told(  # noqa: PLR0917  fixtures
    kind: str, worker: LiveWorker, client: Celery, settings: Settings, store: redis.Redis, tmp_path: Path
) -> None:
    """It lies in `ml.dead` as it came, its task is a failure, none of it ran, and the same worker goes on."""
    process_id = worker.pid
    message = Hostile(str(uuid.uuid4()), tmp_path / "trace")
    HOSTILE[kind](message)
    named = message.headers.get("id", message.task_id) == message.task_id
    accept(settings, message.task_id)
    put(worker, message)
    assert answers(client)
    letter = only_letter(settings)
    assert letter.body == message.body
    if named:
        assert letter.task_id == message.task_id
        wait_for(lambda: store.hget(record_key(message.task_id), "s") == b"FAILURE", "the failure")
        problem = json.loads(store.hget(record_key(message.task_id), "e") or b"")
        assert problem["type"] == "/problems/poison-task"
    assert not message.trace.exists()
    assert worker.is_alive
    assert worker.pid == process_id


def test_the_id_of_a_task_that_has_ended_changes_nothing(
    worker: LiveWorker, client: Celery, settings: Settings, store: redis.Redis, tmp_path: Path
) -> None:
    """Neither a good message nor a broken one under that id runs again or rewrites the answer."""
    message = Hostile(str(uuid.uuid4()), tmp_path / "trace")
    put(worker, message)
    wait_for(lambda: store.hget(record_key(message.task_id), "s") == b"SUCCESS", "the success")
    answer = store.get(meta_key(message.task_id))
    put(worker, message)
    message.body = b'"hello"'
    put(worker, message)
    assert answers(client)
    assert only_letter(settings).task_id == message.task_id
    assert store.get(meta_key(message.task_id)) == answer
    assert store.hget(record_key(message.task_id), "s") == b"SUCCESS"
    assert len(message.trace.read_text().splitlines()) == 1


ITEMS = {
    "text": b"hello",
    "nothing": b"",
    "bytes": bytes(range(256)),
    "a list": b"[1, 2, 3]",
    "an empty object": b"{}",
    "no delivery": b'{"body": "e30=", "headers": {}, "properties": {}}',
    "bad base64": json.dumps(
        {
            "body": "abc",
            "headers": {},
            "properties": {
                "body_encoding": "base64",
                "delivery_tag": "t",
                "delivery_info": {"exchange": "", "routing_key": "ml"},
            },
        }
    ).encode(),
    "half a surrogate pair": json.dumps(
        {
            "body": "\ud800",
            "content-type": "application/json",
            "content-encoding": "utf-8",
            "headers": {"task": "predict", "id": "half"},
            "properties": {"delivery_tag": "s", "delivery_info": {"exchange": "", "routing_key": "ml"}},
        }
    ).encode(),
}


@pytest.mark.parametrize("worker", [host for host in HOSTS if "redis" in host], ids="-".join, indirect=True)
@pytest.mark.parametrize("item", ITEMS.values(), ids=ITEMS.keys())
def test_what_is_no_message_at_all_in_a_list_of_redis(
    item: bytes, worker: LiveWorker, client: Celery, settings: Settings
) -> None:
    """The transport stumbles over it in the event loop; the worker goes on, and it lies among the dead."""
    process_id = worker.pid
    with redis.Redis.from_url(settings.broker_url) as broker:
        broker.lpush(NORMAL, item)
    assert answers(client)
    assert only_letter(settings)
    assert worker.is_alive
    assert worker.pid == process_id
