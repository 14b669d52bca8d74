"""Cutting a job: every row in one chunk, chunks short enough to share and small enough to hold."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tandem.backplane.bulk import CHUNK_ROWS, LEAST_ROWS, MESSAGE_BYTES, NAMED_FAULTS, Job, messages_of
from tandem.backplane.bulk_parts import TASK
from tandem.backplane.errors import PayloadTooLarge
from tandem.schemas.model_card import ModelCard
from tandem.schemas.problem import field_error
from tandem.schemas.rows import decoded
from worker.bulk_chunk import ChunkAsk

TASK_ID = "0b5e3f5e-6b0f-4f0e-9a55-0a4d4c6f0a52"


def card_of(*columns: tuple[str, str]) -> ModelCard:
    """A card with these columns (name, type), none of them required."""
    return ModelCard(
        model_name="m",
        alias="champion",
        model_version="3",
        model_run_id="r",
        loaded_at="2026-04-25T00:00:00Z",
        loaded_by="w",
        metrics={},
        inputs=[{"type": kind, "name": name, "required": False} for name, kind in columns],
        outputs=[],
    )


def asks_of(job: Job) -> list[ChunkAsk]:
    """What a worker reads of the job's messages."""
    bodies = [json.loads(message.body) for message in messages_of(job, TASK_ID, "ml.bulk")]
    assert all(args == [] and not any(embed.values()) for args, _, embed in bodies)
    return [ChunkAsk.model_validate(kwargs) for _, kwargs, _ in bodies]


@settings(deadline=None)
@given(st.integers(1, 2_500), st.sets(st.integers(0, 2_499), max_size=40))
def test_every_row_is_in_one_chunk(count: int, bad: set[int]) -> None:
    """In order, the bad ones as errors, the good ones as rows."""
    rows = [{"x": float(row)} for row in range(count)]
    faults = {row: [field_error(("rows", row), "is bad")] for row in bad if row < count}
    asks = asks_of(Job(card_of(("x", "double")), "rows", rows, faults))
    edges = [asks[0].first, *(ask.last for ask in asks)]
    assert edges[0] == 0
    assert edges[-1] == count
    assert [ask.first for ask in asks] == edges[:-1]
    assert {ask.cut for ask in asks} == {asks[0].cut}
    good = [row["x"] for ask in asks for row in ask.rows.dicts()]
    assert good == [float(row) for row in range(count) if row not in faults]
    assert [fault.row for ask in asks for fault in ask.errors] == sorted(faults)
    assert all(ask.last - ask.first <= CHUNK_ROWS for ask in asks)
    assert len(asks) == 1 or all(ask.last - ask.first >= LEAST_ROWS for ask in asks[:-1])


def test_chunks_of_a_job_carry_its_id_and_are_kept() -> None:
    """So that whatever gives up on one of them fails the job."""
    rows = [{"x": 1.0}] * 300
    messages = list(messages_of(Job(card_of(("x", "double")), "rows", rows, {}), TASK_ID, "ml.bulk"))
    assert len(messages) == 3
    assert {message.task_id for message in messages} == {TASK_ID}
    assert {message.headers["id"] for message in messages} == {TASK_ID}
    assert {message.headers["task"] for message in messages} == {TASK}
    assert all(message.durable and message.expiration_seconds is None for message in messages)


def test_many_columns_make_short_chunks() -> None:
    """A chunk is bounded in bytes, whichever of the columns its rows fill."""
    names = [f"c{at}" for at in range(2_000)]
    rows: list[dict[str, Any]] = [dict.fromkeys(names, 0.1)] * 40
    job = Job(card_of(*((name, "double") for name in names)), "rows", rows, {})
    messages = list(messages_of(job, TASK_ID, "ml.bulk"))
    assert len(messages) > 1
    assert max(len(message.body) for message in messages) < 600_000


def test_rows_too_large_to_travel_are_refused() -> None:
    """And not lost at the worker's door."""
    rows = [{"text": "x" * 10_000}] * 600
    job = Job(card_of(("text", "string")), "rows", rows, {})
    assert all(len(message.body) < MESSAGE_BYTES for message in messages_of(job, TASK_ID, "ml.bulk"))
    huge = [{"text": "x" * 1_000_000}] * 10
    with pytest.raises(PayloadTooLarge, match="Rows 0 to 9"):
        list(messages_of(Job(card_of(("text", "binary")), "rows", huge, {}), TASK_ID, "ml.bulk"))


def test_a_request_sent_again_is_cut_at_the_same_rows() -> None:
    """Whatever its rows hold, so that what was written for one is good for the other."""
    card = card_of(("x", "double"), ("text", "string"))
    full = asks_of(Job(card, "rows", [{"x": 1.0, "text": "a" * 900}] * 950, {}))
    empty = asks_of(Job(card, "rows", [{}] * 950, {}))
    assert [ask.first for ask in full] == [ask.first for ask in empty]
    assert decoded({"count": 0, "columns": {}}).dicts() == []


def test_rows_that_do_not_fit_are_named_and_the_others_go_on() -> None:
    """Found when their chunk is made, by their place in the job; what was known before stays as it was."""
    bad: dict[int, dict[str, Any]] = {3: {"x": "a"}, 400: {}, 999: {"x": 1.0, "y": 2}}
    count = 1_000
    rows = [bad.get(row, {"x": float(row)}) for row in range(count)]
    known = {1: [field_error(("rows", 1), "is no JSON")], 2: [field_error(("rows", 2), "is no JSON")]}
    card = card_of(("x", "double"))
    card.inputs[0]["required"] = True
    asks = asks_of(Job(card, "rows", [{}, {}, {}, *rows[3:]], {0: known[1], **known}))
    assert len(asks) == 4
    faults = {fault.row: fault.errors for ask in asks for fault in ask.errors}
    assert [*faults] == [0, 1, 2, *bad]
    assert faults[1] == known[1]
    assert [faults[row][0]["loc"] for row in bad] == [
        ["rows", 3, "x"],
        ["rows", 400, "x"],
        ["rows", 999, "y"],
    ]
    assert [row["x"] for ask in asks for row in ask.rows.dicts()] == [
        float(row) for row in range(count) if row not in faults
    ]


def test_faults_named_are_bounded_in_all_chunks_together() -> None:
    """Of the rows after that one sentence each."""
    names = [f"c{at}" for at in range(100)]
    rows = [dict.fromkeys(names, "no number")] * 500
    card = card_of(*((name, "double") for name in names))
    faults = [fault.errors for ask in asks_of(Job(card, "rows", rows, {})) for fault in ask.errors]
    assert [len(errors) for errors in faults] == [100] * 10 + [1] * 490
    assert sum(map(len, faults[:10])) == NAMED_FAULTS
    assert "other rows" in faults[10][0]["msg"]
