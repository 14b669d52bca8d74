"""How one row is asked of each kind of server, and where in its answer the probabilities are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Row = dict[str, float]
OK, ACCEPTED = 200, 202


class Exchange(NamedTuple):
    """A route, the body that asks for one row, and the reader of its answer; `status` is what success is."""

    path: str
    body: Callable[[Row], Any]
    probabilities: Callable[[Any], list[float] | None]
    """None where the answer holds no probabilities to check."""
    status: int = OK

    def request(self, row: Row) -> bytes:
        """The whole request, head and body."""
        body = json.dumps(self.body(row), separators=(",", ":")).encode()
        head = f"POST {self.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def _features(row: Row) -> Any:
    return {"features": row}


def _split(row: Row) -> Any:
    return {"dataframe_split": {"columns": list(row), "data": [list(row.values())]}}


def _tensors(row: Row) -> Any:
    inputs = [
        {"name": name, "shape": [1, 1], "datatype": "FP64", "data": [value]} for name, value in row.items()
    ]
    return {"inputs": inputs, "parameters": {"content_type": "pd"}}


def _of_match(answer: Mapping[str, Any]) -> list[float]:
    probabilities = answer["prediction"]["probabilities"]
    return [probabilities[name] for name in ("0", "1", "2")]


def _nothing(answer: Mapping[str, Any]) -> None:
    """An answer without the model's probabilities: there is nothing to compare, it only has to be there."""
    if not answer:
        raise KeyError("the answer is empty")


EXCHANGES = {
    "tandem": Exchange("/predict/", _features, _of_match),
    "tandem-async": Exchange("/predict/async/", _features, _nothing, ACCEPTED),
    "tandem-counted": Exchange(
        "/predict/?model=counted", _features, lambda answer: answer["prediction"]["output"]
    ),
    "tandem-slow": Exchange("/predict/?model=slow", _features, _nothing),
    "features": Exchange("/predict", _features, lambda answer: answer["probabilities"]),
    "rows": Exchange("/predict", lambda row: {"rows": [row]}, lambda answer: answer[0]),
    "empty": Exchange("/empty", _features, _nothing),
    "mlflow": Exchange("/invocations", _split, lambda answer: answer["predictions"][0]),
    "v2": Exchange("/v2/models/bench/infer", _tensors, lambda answer: answer["outputs"][0]["data"]),
}
