"""Many rows as one job: each checked by itself, cut into chunks, and accepted all together or not at all.

A chunk is a message of some hundred rows by column (`schemas/rows.py`) under the job's own task id. How long
the chunks of a request are depends on nothing but the request and the model's columns, so that a request sent
again is cut at the same rows. `bulk_scripts.py` tells how the parts come together.
"""

import asyncio
import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from tandem.backplane.bulk_parts import TASK, max_result_bytes
from tandem.backplane.bulk_scripts import WITHDRAW, bulk_keys_of
from tandem.backplane.callers import ANONYMOUS
from tandem.backplane.claim_check import Upload
from tandem.backplane.edge import Edge
from tandem.backplane.errors import PayloadTooLarge, StoreUnavailable
from tandem.backplane.message import EMBED, Message, delivery_header, task_headers
from tandem.backplane.prediction_request import signature_of
from tandem.backplane.row_texts import NDJSON, rows_of_csv, rows_of_ndjson
from tandem.backplane.store import store_errors
from tandem.schemas.batch import BatchRequest
from tandem.schemas.match import Match
from tandem.schemas.model_card import ModelCard
from tandem.schemas.problem import FieldError, field_error
from tandem.schemas.rows import encoded

CHUNK_ROWS = 1_000
CHUNK_BYTES = 400_000
"""What a chunk's columns may take if every row fills them: broker and worker hold it in memory whole."""
LEAST_CHUNKS, LEAST_ROWS = 8, 100
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
    """Rows for one model. `faults` are those of the rows that do not go to the model, by row."""

    card: ModelCard
    source: str
    """`rows` or `match_ids`: where in the request a row stands."""
    rows: Sequence[Mapping[str, Any]]
    faults: Mapping[int, Sequence[FieldError]]


async def read_job(edge: Edge, asked: BatchRequest, card: ModelCard) -> Job:
    """The rows or matches of a request, checked; raises PayloadTooLarge (the result), StoreUnavailable.

    The work on the rows is done in a thread: other callers of this process do not wait for it.
    """
    if asked.rows is not None:
        _refuse_large(edge, card, len(asked.rows))
        return await asyncio.to_thread(_checked, card, "rows", asked.rows, {})
    match_ids = asked.match_ids or []
    _refuse_large(edge, card, len(match_ids))
    matches = await edge.matches.get_many(match_ids)
    oldest = edge.settings.today - timedelta(days=edge.settings.max_feature_age_days)
    return await asyncio.to_thread(_of_matches, card, match_ids, matches, oldest)


async def read_text_job(edge: Edge, text: Upload, card: ModelCard) -> Job:
    """The rows of NDJSON or CSV, checked; raises PayloadTooLarge (the result), or as its readers do."""
    signature = signature_of(card)
    if text.content_type == NDJSON:
        found = await asyncio.to_thread(rows_of_ndjson, text.body)
    else:
        found = await asyncio.to_thread(rows_of_csv, text.body, signature)
    _refuse_large(edge, card, len(found.rows))
    return await asyncio.to_thread(_checked, card, "rows", found.rows, found.faults)


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
    return _checked(card, "match_ids", rows, missing)


def _checked(
    card: ModelCard, source: str, rows: Sequence[Mapping[str, Any]], faults: dict[int, list[FieldError]]
) -> Job:
    check = signature_of(card).check
    named = 0
    for index, row in enumerate(rows):
        if index in faults or not (found := check(row, (source, index))):
            continue
        faults[index] = found[: max(0, NAMED_FAULTS - named)] or [
            field_error((source, index), "does not fit the model; the faults of other rows fill the list")
        ]
        named += len(found)
    return Job(card, source, rows, faults)


async def accept_job(
    edge: Edge, job: Job, task_id: str, *, queue: str, expires_in_seconds: int, owner: str = ANONYMOUS
) -> None:
    """Record the job as its owner's and publish its chunks; on return every one of them is confirmed.

    Raises PayloadTooLarge, StoreUnavailable, or what the first chunk that was not confirmed raises
    (QueueFull, BrokerUnavailable), and then nothing runs under this id, which may be accepted again. Only
    where the store is away as well does the job stay, to end by its expiry.
    """
    messages = await asyncio.to_thread(lambda: list(messages_of(job, task_id, queue)))
    await edge.tasks.accept(task_id, expires_in_seconds, len(job.rows), owner)
    for start in range(0, len(messages), PUBLISHED_AT_ONCE):
        published = await asyncio.gather(
            *map(edge.publisher.publish, messages[start : start + PUBLISHED_AT_ONCE]), return_exceptions=True
        )
        for outcome in published:
            if outcome is not None:
                with contextlib.suppress(StoreUnavailable):
                    await _withdraw(edge, task_id)
                raise outcome


async def _withdraw(edge: Edge, task_id: str) -> None:
    keys = bulk_keys_of(task_id)
    with store_errors():
        await edge.client.eval(WITHDRAW.text, len(keys), *keys)


def messages_of(job: Job, task_id: str, queue: str) -> Iterator[Message]:
    """The chunks of a job, in order; raises PayloadTooLarge where the worker would refuse one."""
    kinds = {str(spec.get("name", at)): str(spec.get("type")) for at, spec in enumerate(job.card.inputs)}
    cut = _rows_of_a_chunk(len(job.rows), len(kinds))
    # When it was submitted stands in the record already.
    header = delivery_header(submitted_ms=0, checked=job.card.model_version)
    headers = task_headers(TASK, task_id, header)
    for first in range(0, len(job.rows), cut):
        last = min(first + cut, len(job.rows))
        good = [job.rows[row] for row in range(first, last) if row not in job.faults]
        bad = [
            {"row": row, "errors": list(job.faults[row])} for row in range(first, last) if row in job.faults
        ]
        kwargs = {
            "model": job.card.model_name,
            "alias": job.card.alias,
            "source": job.source,
            "first": first,
            "last": last,
            "total": len(job.rows),
            "cut": cut,
            "rows": encoded(good, kinds),
            "errors": bad,
        }
        body = b"".join((b"[[], ", json.dumps(kwargs).encode(), b", ", EMBED, b"]"))
        if len(body) > MESSAGE_BYTES:
            raise PayloadTooLarge(f"Rows {first} to {last - 1} are too large to travel together; send fewer.")
        yield Message(task_id, queue, body, headers, durable=True)


def _rows_of_a_chunk(rows: int, columns: int) -> int:
    shared = max(LEAST_ROWS, -(-rows // LEAST_CHUNKS))
    return max(1, min(CHUNK_ROWS, shared, CHUNK_BYTES // (_BUFFERED * columns or 1)))
