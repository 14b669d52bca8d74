"""Results from a path, a pattern or a URL."""

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from models.football import sources
from models.football.results_csv import InvalidResults
from models.football.sources import load_fixtures, load_results

HEADER = "Date,HomeTeam,AwayTeam,FTHG,FTAG\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two seasons of one match each."""
    (tmp_path / "season-1.csv").write_text(HEADER + "2023-08-11,A,B,1,0\n")
    (tmp_path / "season-2.csv").write_text(HEADER + "2024-08-16,B,A,0,0\n")
    return tmp_path


@pytest.fixture
def site(folder: Path) -> Iterator[str]:
    """The folder behind a web server of its own."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join(timeout=5)


def test_a_pattern_gives_its_files_in_order(folder: Path) -> None:
    """A glob pattern stands for all its files, sorted by name."""
    matches = load_results([str(folder / "season-*.csv")])
    assert [match.home_team for match in matches] == ["A", "B"]


def test_a_path_with_brackets_is_a_path(folder: Path) -> None:
    """A file that exists is read even where its name looks like a pattern."""
    odd = folder / "season[1].csv"
    odd.write_text(HEADER + "2022-08-05,C,D,2,2\n")
    assert [match.home_team for match in load_results([str(odd)])] == ["C"]


def test_a_url_is_fetched(site: str) -> None:
    """An http URL gives the same matches as the file behind it."""
    [match] = load_results([f"{site}/season-1.csv"])
    assert (match.home_team, match.away_team) == ("A", "B")


@pytest.mark.parametrize("path", ["season-9.csv", "season-9-*.csv"])
def test_what_is_not_there_is_named(folder: Path, path: str) -> None:
    """A path or pattern that matches nothing is an error and not an empty league."""
    with pytest.raises(InvalidResults, match="season-9"):
        load_results([str(folder / path)])


def test_a_folder_is_no_file(folder: Path) -> None:
    """What cannot be read is refused with its name."""
    with pytest.raises(InvalidResults, match="cannot be read"):
        load_fixtures(str(folder))


def test_a_url_that_fails_is_named(site: str) -> None:
    """A page that does not exist, or a server that does not answer, is refused with the URL."""
    with pytest.raises(InvalidResults, match=r"season-9\.csv: cannot be fetched"):
        load_results([f"{site}/season-9.csv"])
    with pytest.raises(InvalidResults, match="cannot be fetched"):
        load_results(["http://127.0.0.1:9/season-1.csv"])


def test_what_is_too_large_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading stops at a limit, whatever the source sends."""
    monkeypatch.setattr(sources, "MAX_BYTES", 20)
    with pytest.raises(InvalidResults, match="larger than 20 bytes"):
        load_results([str(folder / "season-1.csv")])
