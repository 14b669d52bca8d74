"""A request for many rows to its job, wherever the rows are: in the body, or in the bucket.

From there they are read before the job is accepted, which then does not depend on the upload any more.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tandem.backplane.body import JSON
from tandem.backplane.bulk import Job, read_job, read_text_job
from tandem.backplane.claim_check import Upload
from tandem.backplane.edge import Edge
from tandem.backplane.errors import InvalidRequest, PayloadTooLarge
from tandem.backplane.prediction_request import read_request
from tandem.backplane.row_texts import MAX_LINE_BYTES
from tandem.backplane.strict_json import parse_strict
from tandem.schemas.batch import BatchRequest
from tandem.schemas.model_card import ModelCard
from tandem.schemas.problem import field_error

MAX_CONTAINERS = 1_000_000
"""Arrays and objects of one upload: empty, they take twenty times their text in memory."""


@asynccontextmanager
async def job_of(edge: Edge, asked: BatchRequest | Upload, card: ModelCard, owner: str) -> AsyncIterator[Job]:
    """The job that `owner` asks for, as a request or as a body of rows, for as long as it is being accepted.

    Raises InvalidRequest, InvalidJson, PayloadTooLarge, StoreUnavailable, or as `ClaimCheck.read` does.
    """
    if isinstance(asked, Upload):
        yield await read_text_job(edge, asked, card)
    elif asked.upload is None:
        yield await read_job(edge, asked, card)
    else:
        async with edge.upload_turn.taken():
            yield await _read_upload(edge, asked.upload, card, owner)


async def _read_upload(edge: Edge, upload_id: str, card: ModelCard, owner: str) -> Job:
    upload = await asyncio.to_thread(edge.claim_check.read, upload_id, owner)
    if upload.body.count(b"[") + upload.body.count(b"{") > MAX_CONTAINERS:
        raise PayloadTooLarge(f"An upload may hold {MAX_CONTAINERS} arrays and objects at most.")
    if upload.content_type == JSON:
        return await read_job(edge, await asyncio.to_thread(_request_of, upload.body, card), card)
    return await read_text_job(edge, upload, card)


def _request_of(body: bytes, card: ModelCard) -> BatchRequest:
    """What an upload of JSON holds: rows or matches, as a body.

    Raises InvalidJson, InvalidRequest, or PayloadTooLarge for a single row.
    """
    if _holds_endless_row(body):
        raise PayloadTooLarge(f"A row may have {MAX_LINE_BYTES} bytes at most.")
    asked = read_request(BatchRequest, parse_strict(body), card)
    foreign = asked.model_fields_set - {"rows", "match_ids"}
    if foreign:
        misplaced = "belongs in the request, not in the upload"
        raise InvalidRequest([{**field_error((name,), misplaced)} for name in sorted(foreign)])
    return asked


def _holds_endless_row(body: bytes) -> bool:
    """Whether JSON goes on for longer than a row may without an object's beginning.

    An object of a million members would be made in one piece, and all of this process would wait for it.
    """
    at = 0
    while len(body) - at > MAX_LINE_BYTES:
        begins = body.rfind(b"{", at, at + MAX_LINE_BYTES)
        if begins < 0:
            return True
        at = begins + 1
    return False
