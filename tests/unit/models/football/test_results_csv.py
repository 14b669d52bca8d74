"""Reading files of results in every form they come in, and refusing what does not fit."""

from datetime import date

import pytest

from models.football.fixture import Outcome, SideCounts
from models.football.results_csv import InvalidResults, day_of, read_fixtures, read_results

PLAIN = "Date,HomeTeam,AwayTeam,FTHG,FTAG,FTR,HS,AS,HST,AST\n2024-08-16,Man United,Fulham,1,0,H,14,10,5,2\n"


def test_reads_a_result_with_its_shots() -> None:
    """A line becomes a played match with goals, shots and shots on target of both sides."""
    [match] = read_results(PLAIN.encode(), "season.csv")
    assert match.key == (date(2024, 8, 16), "Man United", "Fulham")
    assert (match.home, match.away) == (SideCounts(1, 14, 5), SideCounts(0, 10, 2))
    assert match.outcome is Outcome.HOME_WIN


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2024-08-16", date(2024, 8, 16)),
        ("16/08/2024", date(2024, 8, 16)),
        ("16/08/24", date(2024, 8, 16)),
        ("1/9/2024", date(2024, 9, 1)),
        ("14/08/93", date(1993, 8, 14)),
    ],
)
def test_reads_every_form_of_date(text: str, day: date) -> None:
    """ISO, dd/mm/yyyy and dd/mm/yy mean the same day; two-digit years from 90 are the last century's."""
    assert day_of(text) == day


@pytest.mark.parametrize("text", ["", "2024-13-01", "08/16/2024", "16.08.2024", "16/08/202", "2024-8-1x"])
def test_refuses_other_dates(text: str) -> None:
    """What is in none of the three forms, or no day of any year, is not guessed at."""
    with pytest.raises(ValueError, match=r".+"):
        day_of(text)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "iso-8859-1"])
def test_reads_every_encoding(encoding: str) -> None:
    """UTF-8, UTF-8 with a byte-order mark and ISO-8859-1 give the same names, also in the first column."""
    text = PLAIN.replace("Fulham", "Saint-Étienne")
    [match] = read_results(text.encode(encoding), "season.csv")
    assert match.away_team == "Saint-Étienne"
    assert match.match_date == date(2024, 8, 16)


def test_reads_the_older_layout() -> None:
    """Div in front, Windows line ends, blank lines, lines of commas and further columns do no harm."""
    text = (
        "Div,Date,HomeTeam,AwayTeam,FTHG,FTAG,FTR,B365H,,\r\n"
        "E0,13/08/16,Burnley,Swansea,0,1,A,2.4,,\r\n"
        ",,,,,,,,,\r\n\r\n   \r\n"
    )
    [match] = read_results(text.encode(), "E0.csv")
    assert (match.division, match.outcome) == ("E0", Outcome.AWAY_WIN)
    assert match.home == SideCounts(0, None, None)


def test_missing_shots_are_missing_and_not_zero() -> None:
    """An absent column and an empty cell both give None; the performance is then the goals."""
    text = "Date,HomeTeam,AwayTeam,FTHG,FTAG,HS,AS\n2024-08-16,A,B,2,0,,3\n"
    [match] = read_results(text.encode(), "season.csv")
    assert (match.home, match.away) == (SideCounts(2, None, None), SideCounts(0, 3, None))
    assert match.home is not None
    assert match.home.performance == 2.0


def test_a_line_without_goals_is_a_match_to_come() -> None:
    """A match in a file of results that has no score yet is read as a fixture."""
    text = "Date,HomeTeam,AwayTeam,FTHG,FTAG,FTR\n2024-08-16,A,B,,,\n"
    [match] = read_results(text.encode(), "season.csv")
    assert match.outcome is None


@pytest.mark.parametrize(
    ("line", "where"),
    [
        ("2024-08-16,A,B,x,0,H,,,,", r"season\.csv, line 3, column FTHG: 'x'"),
        ("2024-08-16,A,B,1.5,0,H,,,,", "line 3, column FTHG: '1.5'"),
        ("2024-08-16,A,B,-1,0,A,,,,", "line 3, column FTHG: '-1'"),
        ("2024-08-16,A,B,2400,0,H,,,,", "line 3, column FTHG: '2400'"),
        ("2024-08-16,A,B,,0,H,,,,", "line 3, column FTHG: is empty"),
        ("2024-08-16,A,B,1,,H,,,,", "line 3, column FTAG: is empty"),
        ("2024-08-16,A,B,1,0,D,,,,", "line 3, column FTR: 'D' does not go with 1:0"),
        ("2024-08-16,A,B,1,0,X,,,,", "line 3, column FTR"),
        ("2024-08-16,A,B,1,0,H,many,,,", "line 3, column HS: 'many'"),
        ("16-08-2024,A,B,1,0,H,,,,", "line 3, column Date: '16-08-2024'"),
        (",A,B,1,0,H,,,,", "line 3, column Date: is empty"),
        ("2024-08-16,,B,1,0,H,,,,", "line 3, column HomeTeam: is empty"),
        ("2024-08-16,A,A,1,0,H,,,,", "line 3, column AwayTeam: a team cannot play itself"),
        ("2024-08-16,A," + "B" * 101 + ",1,0,H,,,,", "line 3, column AwayTeam: is longer"),
        ("2024-08-16,A,B,1,0,H,,,,,9", "line 3: 11 cells under 10 columns"),
    ],
)
def test_names_file_line_and_column_of_a_bad_cell(line: str, where: str) -> None:
    """Whatever cannot be read is refused with the place it stands in."""
    with pytest.raises(InvalidResults, match=where):
        read_results((PLAIN + line + "\n").encode(), "season.csv")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "the file is empty"),
        ("\n\n", "the file is empty"),
        ("Date,HomeTeam,AwayTeam,FTHG\n", "line 1: no column FTAG"),
        ("Date,Date,HomeTeam,AwayTeam,FTHG,FTAG\n", "line 1: column Date stands twice"),
        ("<!DOCTYPE html><html></html>", "line 1: no column Date, HomeTeam"),
        ('Date,HomeTeam,AwayTeam,FTHG,FTAG\n2024-08-16,"A"x,B,1,0\n', "line 2"),
    ],
)
def test_refuses_what_is_no_file_of_results(text: str, fault: str) -> None:
    """An empty file, a web page or a broken table is told as such."""
    with pytest.raises(InvalidResults, match=fault):
        read_results(text.encode(), "season.csv")


def test_fixtures_may_bring_their_ids_and_never_a_score() -> None:
    """The column match_id is read where given, and a score in a file of fixtures is not."""
    text = "Date,HomeTeam,AwayTeam,match_id,FTHG,FTAG\n2026-03-14,A,B,42,3,0\n2026-03-15,C,D,,,\n"
    first, second = read_fixtures(text.encode(), "fixtures.csv")
    assert (first.match_id, second.match_id) == (42, None)
    assert first.outcome is None
