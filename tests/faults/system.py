"""The system under test, every process of it: store, broker, gateway and workers, started, harmed and ended.

All are real ones, as `make run` starts them. What a row changes (settings, a way through a proxy) is asked
for with `arrange`, which starts again only what differs.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import urlopen

import redis

from local.ports import LOOPBACK, free_port
from local.private_redis import PrivateRedis
from tandem.backplane import dead_letter_queue
from tandem.backplane.errors import TandemError
from tandem.backplane.model_cards import WORKERS
from tandem.backplane.settings import Settings
from tests.faults import processes
from tests.faults.brokers import broker_of
from tests.faults.processes import Setup, register_models
from tests.faults.tcp_proxy import TcpProxy

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from local.child import Child

READY_SECONDS = 120
REWRITE_SECONDS = 30
QUORUM_SECONDS = 25
"""RabbitMQ 3.10 may bring a younger quorum queue back without a leader after a kill -9."""
_numbers = itertools.count(1)


class System:
    """Owns every process; a context manager. `broker` is a name of `brokers.py` or a URL."""

    def __init__(self, directory: Path, broker: str) -> None:
        self.directory = directory
        self.executions_file = directory / "executions"
        self.store = PrivateRedis(directory / "store")
        self.broker = broker_of(broker, directory / "broker")
        self.broker_url = broker if self.broker is None else self.broker.url
        self.workers: list[Child] = []
        self.nodes: dict[Child, str] = {}
        self.gateway: Child | None = None
        self.port = free_port()
        self._clock_offset = directory / "clock"
        self.queues_declared_at = 0.0
        self._setup: Setup | None = None
        self._proxies: dict[str, TcpProxy] = {}
        self._stack = contextlib.ExitStack()

    @property
    def url(self) -> str:
        """Where the gateway answers."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def is_redis(self) -> bool:
        """Whether Redis is the broker."""
        return self.broker_url.startswith("redis")

    @property
    def settings(self) -> Settings:
        """What a client of the broker and the store needs."""
        return Settings(broker_url=self.broker_url, redis_url=self.store.url)

    @property
    def logs(self) -> Path:
        """Where workers and gateway log."""
        return self.directory / "logs"

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            stack.callback(self.store.stop)
            self.start_store()
            if self.broker is not None:
                stack.callback(self.broker.stop)
                self.broker.start()
            stack.callback(self._stop_processes)
            register_models(self.directory)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def start_store(self) -> None:
        """Start it, with every write kept in the append-only file for the ledger to read."""
        self.store.start()
        with redis.Redis.from_url(self.store.url) as client:
            client.config_set("auto-aof-rewrite-percentage", 0)
            client.config_set("aof-use-rdb-preamble", "no")

    def proxy(self, side: str, server: str) -> TcpProxy:
        """The proxy between `worker` or `edge` and `broker` or `store`, passing everything on at first."""
        name = f"{side}-{server}"
        if name not in self._proxies:
            url = self.broker_url if server == "broker" else self.store.url
            port = int(url.rpartition(":")[2].partition("/")[0])
            self._proxies[name] = self._stack.enter_context(TcpProxy(port))
        return self._proxies[name]

    def proxies(self) -> list[TcpProxy]:
        """Those there are."""
        return list(self._proxies.values())

    def arrange(self, setup: Setup) -> None:
        """Have everything run in this way, nothing left of the last row. Raises StartError."""
        self._mend()
        if setup != self._setup or len(self.workers) != 1 or not self._all_alive():
            self._stop_processes()
            self._setup = setup
            self._forget()
            self.gateway = processes.gateway(self.port, self.logs, self._variables("edge", setup.edge))
            self.gateway.start()
            self.start_worker()
            self.gateway.wait_until(self._gateway_answers, timeout_seconds=READY_SECONDS)
        else:
            self._forget()
        for worker in self.workers:
            worker.wait_until(functools.partial(self.serves, worker), timeout_seconds=READY_SECONDS)
        self.queues_declared_at = self.queues_declared_at or time.monotonic()

    def _mend(self) -> None:
        """Bring back what a row that broke off may have left harmed."""
        for proxy in self.proxies():
            proxy.pass_on()
        self.store.resume()
        if not self.store.child.is_alive:
            self.start_store()
        if self.broker is not None:
            self.broker.resume()
            if not self.broker.child.is_alive:
                self.broker.start()

    def start_worker(self) -> Child:
        """Start one more worker."""
        assert self._setup is not None
        node = f"faults{next(_numbers)}@{os.getpid()}"
        variables = self._variables("worker", self._setup.worker)
        worker = processes.worker(node, self._setup, self.logs, variables)
        worker.start()
        self.workers.append(worker)
        self.nodes[worker] = node
        return worker

    def start_worker_and_wait(self) -> Child:
        """Start one more worker, and wait until it serves."""
        worker = self.start_worker()
        worker.wait_until(lambda: self.serves(worker), timeout_seconds=READY_SECONDS)
        return worker

    def drop_worker(self, worker: Child) -> None:
        """Forget a worker that was stopped or killed."""
        self.workers.remove(worker)

    def serves(self, worker: Child) -> bool:
        """Whether the worker says in the store that it has models loaded."""
        with redis.Redis.from_url(self.store.url) as client:
            return bool(client.hexists(WORKERS, self.nodes[worker]))

    def executions(self) -> Counter[int]:
        """How often each number has been run since the row began."""
        if not self.executions_file.exists():
            return Counter()
        return Counter(int(line) for line in self.executions_file.read_text().split())

    def dead_letters(self) -> frozenset[str]:
        """Task ids in the dead-letter queue."""
        return frozenset(letter.task_id for letter in dead_letter_queue.peek(self.settings))

    def _forget(self) -> None:
        """Begin anew: no records, no dead letters, no executions, an empty append-only file."""
        self.executions_file.unlink(missing_ok=True)
        with redis.Redis.from_url(self.store.url) as client:
            client.flushall()  # cards and heartbeats too; a living worker writes them again within seconds
            client.bgrewriteaof()
            deadline = time.monotonic() + REWRITE_SECONDS
            while client.info("persistence")["aof_rewrite_in_progress"] and time.monotonic() < deadline:
                time.sleep(0.05)
        with contextlib.suppress(TandemError):  # no queues yet
            dead_letter_queue.purge(self.settings, lambda _: True)

    def _variables(self, side: str, own: Mapping[str, str]) -> dict[str, str]:
        assert self._setup is not None
        proxied = self._setup.worker_proxied if side == "worker" else self._setup.edge_proxied
        urls = {"BROKER_URL": self.broker_url, "REDIS_URL": self.store.url}
        if proxied:
            servers = {"BROKER_URL": "broker", "REDIS_URL": "store"}
            urls = {name: self.proxy(side, servers[name]).of(url) for name, url in urls.items()}
        return {
            **processes.common_variables(self.directory),
            "EXECUTIONS": str(self.executions_file),
            **urls,
            **(self._clock() if self._setup.moved_clock else {}),
            **own,
        }

    def move_clock(self, seconds: int) -> None:
        """Move the clock of worker and functions, where the setup lets it be moved."""
        draft = self._clock_offset.with_suffix(".draft")
        draft.write_text(str(seconds), encoding="ascii")
        draft.replace(self._clock_offset)

    def _clock(self) -> dict[str, str]:
        self.move_clock(0)
        places = [str(Path(__file__).with_name("moved_clock")), os.environ.get("PYTHONPATH", "")]
        return {"CLOCK_OFFSET": str(self._clock_offset), "PYTHONPATH": os.pathsep.join(places)}

    def _all_alive(self) -> bool:
        processes = [*self.workers, *([self.gateway] if self.gateway else [])]
        return bool(processes) and all(process.is_alive for process in processes)

    def _gateway_answers(self) -> bool:
        try:
            with urlopen(f"{self.url}/health/live", timeout=2) as answer:  # noqa: S310  our own
                return bool(answer.status == 200)
        except OSError:
            return False

    def _stop_processes(self) -> None:
        processes = [*([self.gateway] if self.gateway else []), *self.workers]
        self.gateway, self.workers = None, []
        for process in processes:
            process.resume()
            process.stop()
