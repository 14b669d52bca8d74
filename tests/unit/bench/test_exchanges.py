"""Each kind of server is asked in its own form, and read in its own form."""

from __future__ import annotations

import json

import pytest

from bench.exchanges import EXCHANGES

ROW = {"first": 1.5, "second": 2.0}
CHANCES = [0.5, 0.3, 0.2]
ANSWERS = {
    "tandem": {"prediction": {"probabilities": {"0": 0.5, "1": 0.3, "2": 0.2}}},
    "tandem-counted": {"prediction": {"output": CHANCES}},
    "features": {"probabilities": CHANCES},
    "rows": [CHANCES],
    "mlflow": {"predictions": [CHANCES]},
    "v2": {"outputs": [{"data": CHANCES}]},
}


@pytest.mark.parametrize("name", EXCHANGES)
def test_a_request_is_whole(name: str) -> None:
    """Its length is that of its body, which holds every value of the row."""
    head, _, body = EXCHANGES[name].request(ROW).partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head.split(b"\r\n")
    assert head.startswith(f"POST {EXCHANGES[name].path} HTTP/1.1".encode())
    assert all(str(value) in json.dumps(json.loads(body)) for value in ROW.values())


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_is_read(name: str) -> None:
    """The probabilities, in the order of the classes."""
    assert EXCHANGES[name].probabilities(ANSWERS[name]) == CHANCES


@pytest.mark.parametrize("name", sorted(set(EXCHANGES) - set(ANSWERS)))
def test_an_answer_without_probabilities_has_to_be_there(name: str) -> None:
    """There is nothing to compare in a task's id, but an empty answer is none."""
    assert EXCHANGES[name].probabilities({"task_id": "1"}) is None
    with pytest.raises(KeyError):
        EXCHANGES[name].probabilities({})
