"""What the gateway counts, as Prometheus text; true also when several processes answer on its port.

With `PROMETHEUS_MULTIPROC_DIR` set, every process writes its counts to files there and whichever is asked
adds up all of them. The directory has to be empty when the first process starts.
"""

import os
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from tandem.backplane.metrics import (
    ASYNC,
    ERRORS,
    REQUESTS,
    SECONDS,
    SYNC,
    TIMEOUTS,
    is_error,
    is_timeout,
    source_of,
    status_class,
)

disable_created_metrics()  # type: ignore[no-untyped-call]

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 35)

_registry = CollectorRegistry()
_requests = Counter(
    REQUESTS,
    "Requests for one prediction, by whether the caller waits for it",
    ["source"],
    registry=_registry,
)
_timeouts = Counter(TIMEOUTS, "Requests for one prediction answered with 504", registry=_registry)
_errors = Counter(
    ERRORS, "Requests answered with a status from 500 on", ["function", "code"], registry=_registry
)
_seconds = Histogram(
    SECONDS,
    "From the request to the end of its answer",
    ["function", "status"],
    buckets=BUCKETS,
    registry=_registry,
)
# prometheus-client makes text of the labels and takes a lock each time it is asked.
_seconds_of, _requests_of = cache(_seconds.labels), cache(_requests.labels)
for _source in (SYNC, ASYNC):
    _requests_of(_source)  # a count that is shown from the start can be told from one that is missing


def observe(function: str, method: str, route: str, status: int, seconds: float) -> None:
    """Count one request answered by the `route` (`/predict/{match_id}`, not its path) of `function`."""
    _seconds_of(function, status_class(status)).observe(seconds)
    source = source_of(method, route)
    if source is not None:
        _requests_of(source).inc()
    if is_timeout(source, status):
        _timeouts.inc()
    if is_error(status):
        _errors.labels(function, str(status)).inc()


def exposition() -> bytes:
    """All counts of all processes of this port, in Prometheus' text format."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(_registry)
    together = CollectorRegistry()
    MultiProcessCollector(together)  # type: ignore[no-untyped-call]
    return generate_latest(together)
