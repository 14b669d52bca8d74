"""What is counted of every request, under the same names wherever it is counted.

The local gateway shows the counts to Prometheus (`local/metrics.py`). Nobody can ask a Lambda function, so
there each request is one line of its log in CloudWatch's embedded metric format, whatever the log's level.
The dimension `function` is the function's own name there, which holds the stack's.
"""

import json
import os
import sys
import time
from collections.abc import Mapping
from typing import Any

REQUESTS = "prediction_requests_total"
TIMEOUTS = "prediction_timeouts_total"
SECONDS = "http_request_duration_seconds"
ERRORS = "http_errors_total"
"""By the status itself: 500 is a defect, 502 the model, 503 what is away or full, 504 a deadline."""
NAMESPACE = "Tandem"

SYNC, ASYNC = "sync", "async"
SOURCES = {
    ("POST", "/predict"): SYNC,
    ("GET", "/predict/{match_id}"): SYNC,
    ("POST", "/predict/async"): ASYNC,
}
_DEADLINE_PASSED = 504
_LEAST_ERROR = 500


def source_of(method: str, route: str) -> str | None:
    """How a prediction is asked for by this route (`/predict/{match_id}`, not its path); None: it is not."""
    return SOURCES.get((method, route.rstrip("/")))


def is_timeout(source: str | None, status: int) -> bool:
    """Whether a waiting caller was told that its deadline has passed."""
    return source is not None and status == _DEADLINE_PASSED


def is_error(status: int) -> bool:
    """Whether something of ours is at fault, and not the request."""
    return status >= _LEAST_ERROR


def status_class(status: int) -> str:
    """`2xx` and so on."""
    return f"{status // 100}xx"


def embedded_metrics(
    function: str, method: str, route: str, *, status: int, seconds: float, now_ms: int
) -> dict[str, Any]:
    """One request as CloudWatch reads it: the values, and under `_aws` which of them are metrics."""
    found = [_metric(SECONDS, "Seconds", "function", "status")]
    values: dict[str, Any] = {
        "function": function,
        "status": status_class(status),
        SECONDS: round(seconds, 6),
    }
    source = source_of(method, route)
    if source is not None:
        found.append(_metric(REQUESTS, "Count", "function", "source"))
        values |= {"source": source, REQUESTS: 1}
        # Also where there is none, so that an alarm can tell no timeout from no data.
        found.append(_metric(TIMEOUTS, "Count", "function"))
        values[TIMEOUTS] = int(is_timeout(source, status))
    if is_error(status):
        found.append(_metric(ERRORS, "Count", "function", "code"))
        values |= {"code": str(status), ERRORS: 1}
    return {"_aws": {"Timestamp": now_ms, "CloudWatchMetrics": found}, **values}


def _metric(name: str, unit: str, *dimensions: str) -> dict[str, Any]:
    return {
        "Namespace": NAMESPACE,
        "Dimensions": [list(dimensions)],
        "Metrics": [{"Name": name, "Unit": unit}],
    }


def write_embedded(scope: Mapping[str, Any], status: int, started: float) -> None:
    """In Lambda, write the line of the request in `scope`, begun at `started` by the performance counter."""
    function = os.environ.get("AWS_LAMBDA_FUNCTION_NAME")
    if function is None:
        return
    route = getattr(scope.get("route"), "path", "")
    line = embedded_metrics(
        function,
        scope["method"],
        route,
        status=status,
        seconds=time.perf_counter() - started,
        now_ms=int(time.time() * 1000),
    )
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()
