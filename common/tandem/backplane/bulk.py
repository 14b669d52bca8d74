"""Many rows as one job: each checked by itself, cut into chunks, and accepted all together or not at all.

A chunk is a message of some thousand rows by column (`schemas/rows.py`) under the job's own task id. It is
published as soon as its rows are checked, so that workers begin with the first while the next are still made.
How long the chunks of a request are depends on nothing but the request and the model's columns, so that a
request sent again is cut at the same rows. `bulk_scripts.py` tells how the parts come together.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from pydantic_core import to_json

from tandem.backplane.bulk_parts import TASK, max_result_bytes
from tandem.backplane.bulk_scripts import WITHDRAW, bulk_keys_of
from tandem.backplane.callers import ANONYMOUS
from tandem.backplane.claim_check import Upload
from tandem.backplane.edge import Edge
from tandem.backplane.errors import PayloadTooLarge, TandemError
from tandem.backplane.message import EMBED, Message, delivery_header, task_headers
from tandem.backplane.prediction_request import signature_of
from tandem.backplane.row_texts import NDJSON, rows_of_csv, rows_of_ndjson
from tandem.backplane.store import store_errors, taking_back
from tandem.schemas.batch import BatchRequest
from tandem.schemas.match import Match
from tandem.schemas.model_card import ModelCard
from tandem.schemas.problem import FieldError, field_error
from tandem.schemas.rows import encoded_columns

CHUNK_ROWS = 2_500
"""What a call of the model costs beside its rows is small by then."""
CHUNK_BYTES = 400_000
"""What a chunk's columns may take if every row fills them: broker and worker hold it in memory whole."""
LEAST_CHUNKS, LEAST_ROWS = 4, 100
"""A job is cut into this many chunks, so that workers share it, unless they get shorter than that."""
MESSAGE_BYTES = 5_500_000
"""The worker's door refuses more; only rows of enormous texts get there."""
PUBLISHED_AT_ONCE = 64
NAMED_FAULTS = 1_000
"""Faults named in one job's errors; of rows after that only that they do not fit."""
_BUFFERED = 11
"""Bytes of a number in base64, rounded up."""


@dataclass(frozen=True)
class Job:
    """Rows for one model. `faults` are those of rows that are known not to fit whatever the model, by row."""

    card: ModelCard
    source: str
    """`rows` or `match_ids`: where in the request a row stands."""
    rows: Sequence[Mapping[str, Any]]
    faults: Mapping[int, Sequence[FieldError]]


async def read_job(edge: Edge, asked: BatchRequest, card: ModelCard) -> Job:
    """The rows or matches of a request; raises PayloadTooLarge (the result), StoreUnavailable."""
    if asked.rows is not None:
        _refuse_large(edge, card, len(asked.rows))
        return Job(card, "rows", asked.rows, {})
    match_ids = asked.match_ids or []
    _refuse_large(edge, card, len(match_ids))
    matches = await edge.matches.get_many(match_ids)
    oldest = edge.settings.today - timedelta(days=edge.settings.max_feature_age_days)
    return await asyncio.to_thread(_of_matches, card, match_ids, matches, oldest)


async def read_text_job(edge: Edge, text: Upload, card: ModelCard) -> Job:
    """The rows of NDJSON or CSV; raises PayloadTooLarge (the result), or as its readers do."""
    signature = signature_of(card)
    if text.content_type == NDJSON:
        found = await asyncio.to_thread(rows_of_ndjson, text.body)
    else:
        found = await asyncio.to_thread(rows_of_csv, text.body, signature)
    _refuse_large(edge, card, len(found.rows))
    return Job(card, "rows", found.rows, found.faults)


def _refuse_large(edge: Edge, card: ModelCard, rows: int) -> None:
    largest = max_result_bytes(edge.settings)
    most = largest // _answer_bytes(edge, card)
    if rows > most:
        raise PayloadTooLarge(f"A result may have {largest} bytes, which {most} rows of this model fill.")


def _answer_bytes(edge: Edge, card: ModelCard) -> int:
    """About what one prediction takes: of the match model it is known, of any other at least so much."""
    origin = len(card.model_name) + len(card.model_version) + len(card.model_run_id) + 60
    return origin + (150 if card.model_name == edge.settings.match_model else 20)


def _of_matches(card: ModelCard, match_ids: Sequence[int], matches: Mapping[int, Match], oldest: date) -> Job:
    missing = {}
    for index, match_id in enumerate(match_ids):
        match = matches.get(match_id)
        if match is None:
            missing[index] = [field_error(("match_ids", index), "no features are stored for this match")]
        elif match.as_of < oldest:
            missing[index] = [field_error(("match_ids", index), "the stored features are too old")]
    rows = [
        {} if index in missing else matches[match_id].features for index, match_id in enumerate(match_ids)
    ]
    return Job(card, "match_ids", rows, missing)


async def accept_job(
    edge: Edge, job: Job, task_id: str, *, queue: str, expires_in_seconds: int, owner: str = ANONYMOUS
) -> None:
    """Record the job as its owner's and publish its chunks; on return every one of them is confirmed.

    Raises PayloadTooLarge, StoreUnavailable, or what a chunk that was not confirmed raises
    (QueueFull, BrokerUnavailable), and then nothing runs under this id, which may be accepted again. Only
    where the store is away as well does the job stay, to end by its expiry.
    """
    await edge.tasks.accept(task_id, expires_in_seconds, len(job.rows), owner)
    try:
        await _publish(edge, messages_of(job, task_id, queue))
    except TandemError:
        async with taking_back():
            await _withdraw(edge, task_id)
        raise


async def _publish(edge: Edge, messages: Iterator[Message]) -> None:
    """Publish each message once it is made, which a thread does: other callers do not wait for it."""
    under_way: list[asyncio.Task[None]] = []
    try:
        while (message := await asyncio.to_thread(next, messages, None)) is not None:
            under_way.append(asyncio.create_task(edge.publisher.publish(message)))
            if len(under_way) == PUBLISHED_AT_ONCE or any(map(_has_failed, under_way)):
                await asyncio.gather(*under_way)
                under_way.clear()
        await asyncio.gather(*under_way)
    finally:
        # A refusal does not wait for the others: a chunk that comes after the job was withdrawn is skipped.
        for one in under_way:
            one.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)


def _has_failed(publishing: asyncio.Task[None]) -> bool:
    return publishing.done() and publishing.exception() is not None


async def _withdraw(edge: Edge, task_id: str) -> None:
    keys = bulk_keys_of(task_id)
    with store_errors():
        await edge.client.eval(WITHDRAW.text, len(keys), *keys)


def messages_of(job: Job, task_id: str, queue: str) -> Iterator[Message]:
    """The chunks of a job, in order; raises PayloadTooLarge where the worker would refuse one."""
    kinds = {str(spec.get("name", at)): str(spec.get("type")) for at, spec in enumerate(job.card.inputs)}
    cut = _rows_of_a_chunk(len(job.rows), len(kinds))
    check = _RowsCheck(job)
    # When it was submitted stands in the record already.
    header = delivery_header(submitted_ms=0, checked=job.card.model_version)
    headers = task_headers(TASK, task_id, header)
    for first in range(0, len(job.rows), cut):
        last = min(first + cut, len(job.rows))
        count, columns, bad = check.rows(first, last)
        kwargs = {
            "model": job.card.model_name,
            "alias": job.card.alias,
            "source": job.source,
            "first": first,
            "last": last,
            "total": len(job.rows),
            "cut": cut,
            "rows": encoded_columns(count, columns, kinds),
            "errors": [{"row": row, "errors": list(faults)} for row, faults in bad.items()],
        }
        body = b"".join((b"[[], ", to_json(kwargs), b", ", EMBED, b"]"))
        if len(body) > MESSAGE_BYTES:
            raise PayloadTooLarge(f"Rows {first} to {last - 1} are too large to travel together; send fewer.")
        yield Message(task_id, queue, body, headers, durable=True)


class _RowsCheck:
    """Tells the rows of a job that fit its model from those that do not, from the first to the last."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._signature = signature_of(job.card)
        self._named = 0

    def rows(
        self, first: int, last: int
    ) -> tuple[int, dict[str, list[Any]], dict[int, Sequence[FieldError]]]:
        """How many of these rows fit, their columns, and the faults of the others by row."""
        known = self._job.faults
        bad = {row: known[row] for row in range(first, last) if row in known} if known else {}
        rows = {row: self._job.rows[row] for row in range(first, last) if row not in bad}
        columns = self._signature.columns_of([*rows.values()])
        if columns is None:
            found = {row: faults for row, features in rows.items() if (faults := self._faults(row, features))}
            bad = dict(sorted({**bad, **found}.items()))
            rows = {row: features for row, features in rows.items() if row not in found}
            columns = self._signature.columns_of([*rows.values()])
            assert columns is not None  # noqa: S101  each of them has been checked
        return len(rows), columns, bad

    def _faults(self, row: int, features: Mapping[str, Any]) -> list[FieldError]:
        found = self._signature.check(features, (self._job.source, row))
        if not found:
            return found
        left = max(0, NAMED_FAULTS - self._named)
        self._named += len(found)
        return found[:left] or [
            field_error(
                (self._job.source, row), "does not fit the model; the faults of other rows fill the list"
            )
        ]


def _rows_of_a_chunk(rows: int, columns: int) -> int:
    shared = max(LEAST_ROWS, -(-rows // LEAST_CHUNKS))
    return max(1, min(CHUNK_ROWS, shared, CHUNK_BYTES // (_BUFFERED * columns or 1)))
