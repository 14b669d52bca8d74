"""Rows as text are the rows of JSON: nothing is guessed, nothing lost, and a bad row fails alone."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tandem.backplane import row_texts
from tandem.backplane.errors import InvalidRequest
from tandem.backplane.row_texts import MAX_LINE_BYTES, rows_of_csv, rows_of_ndjson
from tandem.schemas.signature import Signature

if TYPE_CHECKING:
    from collections.abc import Callable

COLUMNS: list[dict[str, Any]] = [
    {"type": "long", "name": "count", "required": True},
    {"type": "double", "name": "elo", "required": False},
    {"type": "boolean", "name": "home", "required": False},
    {"type": "string", "name": "team", "required": False},
    {"type": "datetime", "name": "at", "required": False},
    {"type": "array", "name": "form", "items": {"type": "long"}, "required": False},
]
SIGNATURE = Signature.from_mlflow(COLUMNS)
COUNTED = Signature.from_mlflow(COLUMNS[:1])
SECRET = "s3cr3t"


def record(*cells: str) -> bytes:
    """A CSV of every column with one record."""
    return (",".join(SIGNATURE.names) + "\n" + ",".join(cells) + "\n").encode()


def faults_of(row: dict[str, Any]) -> set[str | int]:
    """Which columns do not take what was read."""
    return {fault["loc"][1] for fault in SIGNATURE.check(row)}


ROWS = st.lists(
    st.fixed_dictionaries(
        {"count": st.integers(-(2**63), 2**63 - 1)},
        optional={
            "elo": st.floats(allow_nan=False, allow_infinity=False),
            "home": st.booleans(),
            "team": st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
            "form": st.lists(st.integers(-9, 9), max_size=3),
        },
    ),
    min_size=1,
    max_size=20,
)


@settings(deadline=None)
@given(ROWS, st.sampled_from(["\r\n", "\n"]), st.booleans())
def test_csv_gives_the_rows_that_went_into_it(rows: list[dict[str, Any]], ending: str, quoted: bool) -> None:  # noqa: FBT001
    """Every value, to the last digit and character, whatever is quoted; an empty cell is missing."""
    text = io.StringIO(newline="")
    dialect = csv.unix_dialect if quoted else csv.excel  # all of them quoted, or those that have to be
    writer = csv.writer(text, dialect, lineterminator=ending)
    writer.writerow(SIGNATURE.names)
    for row in rows:
        cells = (row.get(name, "") for name in SIGNATURE.names)
        writer.writerow([cell if isinstance(cell, str) else json.dumps(cell) for cell in cells])
    found = rows_of_csv(text.getvalue().encode(), SIGNATURE)
    assert found.rows == rows
    assert found.faults == {}
    assert not any(map(SIGNATURE.check, found.rows))


@settings(deadline=None)
@given(ROWS, st.sampled_from(["\r\n", "\n"]))
def test_ndjson_gives_the_rows_that_went_into_it(rows: list[dict[str, Any]], ending: str) -> None:
    """An object a line; the last line may end or not, and blank ones may follow."""
    lines = ending.join(json.dumps(row) for row in rows)
    for text in (lines, lines + ending, lines + ending + " " + ending):
        found = rows_of_ndjson(text.encode())
        assert (found.rows, found.faults) == (rows, {})


@pytest.mark.parametrize(
    ("cells", "misfit"),
    [
        (("2.5", "", "", "", "", ""), "count"),
        (("1e30", "", "", "", "", ""), "count"),
        (("007", "", "", "", "", ""), "count"),
        (("+7", "", "", "", "", ""), "count"),
        (("1_000", "", "", "", "", ""), "count"),
        (("\u0667", "", "", "", "", ""), "count"),
        (("true", "", "", "", "", ""), "count"),
        (("", "1.5", "", "", "", ""), "count"),
        (("1", '"1,5"', "", "", "", ""), "elo"),
        (("1", " 1.5", "", "", "", ""), "elo"),
        (("1", "nan", "", "", "", ""), "elo"),
        (("1", "Infinity", "", "", "", ""), "elo"),
        (("1", "1e999", "", "", "", ""), "elo"),
        (("1", "1e-999", "", "", "", ""), "elo"),
        (("1", "9007199254740993", "", "", "", ""), "elo"),
        (("1", "7" * 5_000, "", "", "", ""), "elo"),
        (("1", "", "TRUE", "", "", ""), "home"),
        (("1", "", "1", "", "", ""), "home"),
        (("1", "", "", "", "25.4.2026", ""), "at"),
        (("1", "", "", "", "", "[1"), "form"),
        (("1", "", "", "", "", '"[1, 1.5]"'), "form"),
    ],
)
def test_a_cell_that_would_be_guessed_or_changed_does_not_fit(cells: tuple[str, ...], misfit: str) -> None:
    """As its row in JSON would not; `check` names the column."""
    [row] = rows_of_csv(record(*cells), SIGNATURE).rows
    assert faults_of(row) == {misfit}


def test_a_cell_is_what_its_column_says() -> None:
    """The same digits are a number, or the text that they are; 2.0 is a whole number, as in JSON."""
    [row] = rows_of_csv(record("2.0", "2", "false", "2", "2026-04-25", '"[1,2]"'), SIGNATURE).rows
    assert row == {"count": 2.0, "elo": 2, "home": False, "team": "2", "at": "2026-04-25", "form": [1, 2]}
    assert not faults_of(row)


def test_quoting_is_that_of_rfc_4180() -> None:
    """Commas, doubled quotes and line breaks lie within quotes; columns come in any order."""
    text = '\ufeffteam,count\r\n"Brighton, ""Hove""\r\nAlbion",3\r\n'.encode()
    assert rows_of_csv(text, SIGNATURE).rows == [{"team": 'Brighton, "Hove"\r\nAlbion', "count": 3}]


@pytest.mark.parametrize(
    ("header", "named"),
    [
        ("", {("header",)}),
        ("\n1", {("header",)}),
        ("elo", {("header", "count")}),
        ("count,colour", {("header", "colour")}),
        ("count,Elo,elo ", {("header", "Elo"), ("header", "elo ")}),
        ("count,elo,count", {("header", "count")}),
        ("1,2.5", {("header", "count"), ("header", "1"), ("header", "2.5")}),
    ],
)
def test_a_header_that_does_not_fit_names_its_columns(header: str, named: set[tuple[str, ...]]) -> None:
    """Those that the model needs, those it does not know, those that are there twice."""
    with pytest.raises(InvalidRequest) as caught:
        rows_of_csv(f"{header}\n".encode(), SIGNATURE)
    assert {tuple(fault["loc"]) for fault in caught.value.errors} == named


@pytest.mark.parametrize(
    ("text", "row"),
    [
        (b'count\n1\n"2', 1),
        (b'count\n1\n2\n"3"4\n', 2),
        (b"count\n" + b"7" * 200_000, 0),
        ("count\né\n".encode("latin-1"), 0),
        ("count\n1\n".encode("utf-16"), 0),
    ],
)
def test_a_csv_without_clear_rows_is_refused_whole(text: bytes, row: int) -> None:
    """It is told up to where it could be read, and not what is there."""
    with pytest.raises(InvalidRequest) as caught:
        rows_of_csv(text, COUNTED)
    [fault] = caught.value.errors
    assert fault["loc"] in (["rows", row], ["header"])
    assert "777" not in fault["msg"]


def test_a_record_of_another_length_fails_alone() -> None:
    """Nothing is padded or cut; blank lines are nothing at the end, and bad rows elsewhere."""
    found = rows_of_csv(b"count,elo\n1\n1,2,3\n\n4,5\n\n\n", SIGNATURE)
    assert found.rows == [{}, {}, {}, {"count": 4, "elo": 5}]
    assert set(found.faults) == {0, 1, 2}
    assert [found.faults[row][0]["loc"] for row in (0, 1, 2)] == [["rows", 0], ["rows", 1], ["rows", 2]]


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b'{"a": 1, "a": 2}',
        b'{"a": NaN}',
        b'{"a": 1e999}',
        b"[" * 40,
        b'{"a": 1} {"a": 2}',
        b"[1]",
        b"null",
        b"",
        b'{"a": "\xff"}',
        b'{"a": "' + b"x" * MAX_LINE_BYTES + b'"}',
        f'{{"a": {SECRET}}}'.encode(),
    ],
)
def test_a_line_that_is_no_object_fails_alone(line: bytes) -> None:
    """By its number, without what it says."""
    found = rows_of_ndjson(b'{"a": 1}\n' + line + b'\n{"a": 3}')
    assert found.rows == [{"a": 1}, {}, {"a": 3}]
    [fault] = found.faults[1]
    assert fault["loc"] == ["rows", 1]
    assert SECRET not in fault["msg"]


READERS: list[Callable[[bytes], Any]] = [
    lambda body: rows_of_ndjson(body.replace(b"1", b"{}")),
    lambda body: rows_of_csv(b"count\n" + body, COUNTED),
]


@pytest.mark.parametrize("read", READERS, ids=["ndjson", "csv"])
@pytest.mark.parametrize(
    ("body", "rows"),
    [(b"1\n" * 9, 9), (b"1\n" * 10, 10), (b"1\n" * 11, 0), (b"\n" * 10 + b"1\n", 0), (b"", 0)],
)
def test_rows_are_counted_while_they_are_read(
    read: Callable[[bytes], Any], body: bytes, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No more than the bound are held, blank lines between them counted; and there is one at least."""
    monkeypatch.setattr(row_texts, "MAX_ROWS", 10)
    if rows:
        assert len(read(body).rows) == rows
    else:
        with pytest.raises(InvalidRequest) as caught:
            read(body)
        assert caught.value.errors[0]["loc"] == ["rows"]
