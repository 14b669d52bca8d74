"""Rows of features as text: newline-delimited JSON, and CSV (RFC 4180) with a header row.

What can be laid at one row's door fails that row alone: a line that is not JSON, a record of too many cells,
a cell that its column does not take. What leaves open where rows begin and end, or what the columns are,
is the text's fault as a whole. Blank lines at the end are nothing; any other is a bad row.

A cell becomes what the same characters are in JSON, by the type of its column: digits a number, `true` a
boolean, anything a string; an array or an object stands there as JSON. Nothing is guessed (`1,5`, `+1` and
` 1` are no numbers, `TRUE` is no boolean), and the signature's check then says what does not fit. An empty
cell is missing, quoted or not.
"""

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tandem.backplane.errors import InvalidJson, InvalidRequest
from tandem.backplane.strict_json import parse_number, parse_strict
from tandem.schemas.batch import MAX_ROWS
from tandem.schemas.problem import FieldError, field_error
from tandem.schemas.signature import MAX_ERRORS, Signature

NDJSON, CSV = "application/x-ndjson", "text/csv"
MAX_LINE_BYTES = 2_000_000
"""Of one line of NDJSON."""

_BOOLEANS = {"true": True, "false": False}


@dataclass
class TextRows:
    """Rows in the order of the text; `faults` has those of each that cannot be read, which is {} there."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    faults: dict[int, list[FieldError]] = field(default_factory=dict)
    _blank: int = 0

    def blank(self) -> None:
        """A blank line: nothing, if nothing but such follows."""
        self._blank += 1

    def good(self, row: dict[str, Any]) -> None:
        """One row more. Raises InvalidRequest where there are too many."""
        blank, self._blank = self._blank, 0
        for _ in range(blank):
            self.bad("is a blank line")
        if len(self.rows) == MAX_ROWS:
            raise InvalidRequest([{**field_error(("rows",), f"must have at most {MAX_ROWS} items")}])
        self.rows.append(row)

    def bad(self, message: str) -> None:
        """One row more, which cannot be read."""
        self.good({})
        index = len(self.rows) - 1
        self.faults[index] = [field_error(("rows", index), message)]

    def ended(self) -> "TextRows":
        """Itself; raises InvalidRequest where there is no row."""
        if not self.rows:
            raise InvalidRequest([{**field_error(("rows",), "must have at least 1 item")}])
        return self


def rows_of_ndjson(body: bytes) -> TextRows:
    """One JSON object a line; raises InvalidRequest where there are none, or too many."""
    found = TextRows()
    for line in io.BytesIO(body):
        if not line.strip(b" \t\r\n"):
            found.blank()
            continue
        if len(line) > MAX_LINE_BYTES:
            found.bad(f"is a line of more than {MAX_LINE_BYTES} bytes")
            continue
        try:
            row = parse_strict(line)
        except InvalidJson as error:
            found.bad(f"is not JSON. {error.detail}")
            continue
        if isinstance(row, dict):
            found.good(row)
        else:
            found.bad("must be a JSON object")
    return found.ended()


def rows_of_csv(body: bytes, signature: Signature) -> TextRows:
    """Records by the names in the header; raises InvalidRequest where these, or the text, do not fit."""
    found = TextRows()
    records = _records(body, found)
    header = next(records, [])
    _check_header(header, signature)
    types = signature.json_types
    columns = [(name, _READERS.get(types[name], _json)) for name in header]
    for cells in records:
        if not cells:
            found.blank()
        elif len(cells) != len(columns):
            found.bad(f"has {len(cells)} cells, the header {len(columns)}")
        else:
            found.good({name: read(cell) for (name, read), cell in zip(columns, cells, strict=True) if cell})
    return found.ended()


def _records(body: bytes, found: TextRows) -> Iterator[list[str]]:
    # Decoded as it is read; a byte order mark is what spreadsheets begin with.
    text = io.TextIOWrapper(io.BytesIO(body), "utf-8-sig", newline="")
    try:
        yield from csv.reader(text, strict=True)
    except csv.Error:
        problem = f"quoting is not that of RFC 4180, or a cell has over {csv.field_size_limit()} characters"
    except UnicodeDecodeError:
        problem = "is not UTF-8"
    else:
        return
    # How far it was read; by how far the decoder is ahead, it may be a later row.
    raise InvalidRequest([{**field_error(("rows", len(found.rows)), problem)}], "It cannot be read as CSV.")


def _check_header(header: list[str], signature: Signature) -> None:
    if not header:
        raise InvalidRequest([{**field_error(("header",), "must name the columns")}])
    known, given = set(signature.names), Counter(header)
    missing = [name for name in signature.required if name not in given]
    faults = [field_error(("header", name), "is required") for name in missing]
    unknown = [name for name in header if name not in known]
    faults += [field_error(("header", name), "is not a feature of this model") for name in unknown]
    twice = [name for name, count in given.items() if count > 1]
    faults += [field_error(("header", name), "is there more than once") for name in twice]
    if faults:
        raise InvalidRequest(
            [{**fault} for fault in faults[:MAX_ERRORS]], "The header row does not fit the model."
        )


def _number(cell: str) -> Any:
    try:
        return parse_number(cell)
    except InvalidJson:
        return cell


def _json(cell: str) -> Any:
    try:
        return parse_strict(cell.encode())
    except InvalidJson:
        return cell


_READERS: dict[str, Callable[[str], Any]] = {
    "string": str,
    "boolean": lambda cell: _BOOLEANS.get(cell, cell),
    "number": _number,
    "integer": _number,
}
