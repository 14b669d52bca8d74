"""Reads results and fixtures in the form of football-data.co.uk: CSV, with or without Div, old dates or new.

Whatever does not fit is refused with the file, line and column it stands in; nothing is guessed.
"""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date

from models.football.fixture import Fixture, Outcome, SideCounts

FIXTURE_COLUMNS = ("Date", "HomeTeam", "AwayTeam")
RESULT_LETTERS = {"H": Outcome.HOME_WIN, "D": Outcome.DRAW, "A": Outcome.AWAY_WIN}
LONGEST_TEXT = 100
LARGEST_COUNT = 200
"""No side of any match has had more of anything; a larger number is a column out of place."""


class InvalidResults(ValueError):
    """A file of results or fixtures that cannot be read; the text names file, line and column."""


def decode(content: bytes) -> str:
    """Text of a file in UTF-8 (with or without BOM) or, failing that, ISO-8859-1."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("iso-8859-1")


def day_of(text: str) -> date:
    """A date written 2024-08-16, 16/08/2024 or 16/08/24; raises ValueError."""
    if match := re.fullmatch(r"(\d{4})-(\d{2})-(\d{2})", text, re.ASCII):
        year, month, day = (int(part) for part in match.groups())
        return date(year, month, day)
    if match := re.fullmatch(r"(\d{1,2})/(\d{1,2})/(\d{4}|\d{2})", text, re.ASCII):
        day, month, year = (int(part) for part in match.groups())
        if len(match[3]) == 2:  # noqa: PLR2004 - two digits: the files begin in 1993
            year += 1900 if year >= 90 else 2000  # noqa: PLR2004
        return date(year, month, day)
    raise ValueError("not in one of the three forms")


class _Row:
    """One line of a file, which knows where it stands."""

    def __init__(self, source: str, line: int, cells: dict[str, str]) -> None:
        self._where = f"{source}, line {line}"
        self._cells = cells

    def refuse(self, column: str, fault: str) -> InvalidResults:
        """The error to raise for a cell."""
        return InvalidResults(f"{self._where}, column {column}: {fault}")

    def text(self, column: str) -> str:
        """The cell, which must not be empty."""
        value = self._cells.get(column, "")
        if not 0 < len(value) <= LONGEST_TEXT:
            raise self.refuse(column, f"is longer than {LONGEST_TEXT} characters" if value else "is empty")
        return value

    def optional_text(self, column: str) -> str:
        """The cell, empty where the column is absent."""
        return self._cells.get(column, "")

    def day(self, column: str) -> date:
        """The cell as a date."""
        text = self.text(column)
        try:
            return day_of(text)
        except ValueError as error:
            fault = f"{text!r} is not a date (2024-08-16, 16/08/2024 or 16/08/24)"
            raise self.refuse(column, fault) from error

    def count(self, column: str, largest: int = LARGEST_COUNT) -> int | None:
        """The cell as a whole number, or None where it is empty or the column is absent."""
        value = self._cells.get(column, "")
        if not value:
            return None
        number = re.fullmatch(r"(\d{1,15})(?:\.0+)?", value, re.ASCII)
        if number is None or int(number[1]) > largest:
            raise self.refuse(column, f"{value!r} is not a whole number from 0 to {largest}")
        return int(number[1])


def _rows(content: bytes, source: str, required: tuple[str, ...]) -> Iterator[_Row]:
    reader = csv.reader(io.StringIO(decode(content), newline=""), strict=True)
    header: list[str] | None = None
    try:
        for record in reader:
            cells = [cell.strip() for cell in record]
            if not any(cells):
                continue
            if header is None:
                header = cells
                if missing := [column for column in required if column not in header]:
                    raise InvalidResults(f"{source}, line {reader.line_num}: no column {', '.join(missing)}")
                if twice := [column for column in header if column and header.count(column) > 1]:
                    raise InvalidResults(f"{source}, line {reader.line_num}: column {twice[0]} stands twice")
                continue
            if any(cells[len(header) :]):
                raise InvalidResults(
                    f"{source}, line {reader.line_num}: {len(cells)} cells under {len(header)} columns"
                )
            yield _Row(source, reader.line_num, dict(zip(header, cells, strict=False)))
    except csv.Error as error:
        raise InvalidResults(f"{source}, line {reader.line_num}: {error}") from error
    if header is None:
        raise InvalidResults(f"{source}: the file is empty")


def _fixture(row: _Row) -> Fixture:
    home_team, away_team = row.text("HomeTeam"), row.text("AwayTeam")
    if home_team == away_team:
        raise row.refuse("AwayTeam", "a team cannot play itself")
    return Fixture(
        match_date=row.day("Date"),
        home_team=home_team,
        away_team=away_team,
        division=row.optional_text("Div"),
        match_id=row.count("match_id", 2**53 - 1),
    )


def _side(row: _Row, goals: int, shots: str, shots_on_target: str) -> SideCounts:
    return SideCounts(goals, row.count(shots), row.count(shots_on_target))


def read_fixtures(content: bytes, source: str) -> list[Fixture]:
    """Fixtures still to be played: Date, HomeTeam, AwayTeam, and if given Div and match_id.

    `source` names the file in errors. Score columns, should there be any, are not read.
    """
    return [_fixture(row) for row in _rows(content, source, FIXTURE_COLUMNS)]


def read_results(content: bytes, source: str) -> list[Fixture]:
    """Results: FTHG and FTAG besides the fixture, and if given FTR, HS, AS, HST, AST; others are ignored.

    A line with no goals at all is a match not yet played. FTR must agree with the goals.
    """
    matches = []
    for row in _rows(content, source, (*FIXTURE_COLUMNS, "FTHG", "FTAG")):
        match = _fixture(row)
        home_goals, away_goals = row.count("FTHG"), row.count("FTAG")
        if home_goals is None and away_goals is None:
            matches.append(match)
            continue
        if home_goals is None or away_goals is None:
            raise row.refuse(
                "FTHG" if home_goals is None else "FTAG", "is empty beside the other side's goals"
            )
        played = replace(
            match, home=_side(row, home_goals, "HS", "HST"), away=_side(row, away_goals, "AS", "AST")
        )
        letter = row.optional_text("FTR")
        if letter and RESULT_LETTERS.get(letter) is not played.outcome:
            raise row.refuse("FTR", f"{letter!r} does not go with {home_goals}:{away_goals}")
        matches.append(played)
    return matches
