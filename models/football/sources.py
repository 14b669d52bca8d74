"""Where results and fixtures come from: a path, a glob pattern or a URL."""

import glob
import http.client
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from pathlib import Path

from models.football.fixture import Fixture
from models.football.results_csv import InvalidResults, read_fixtures, read_results

TIMEOUT_SECONDS = 20.0
MAX_BYTES = 20_000_000
"""A season of one division has some 100 kB; anything near this is not a file of results."""


def _download(url: str) -> bytes:
    request = urllib.request.Request(url, headers={"User-Agent": "tandem"})  # noqa: S310 - http(s) by `_files`
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:  # noqa: S310 - the same
            content: bytes = response.read(MAX_BYTES + 1)
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise InvalidResults(f"{url}: cannot be fetched ({reason})") from error
    return content


def _read(path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InvalidResults(f"{path}: cannot be read ({error.strerror})") from error


def _files(location: str) -> Iterable[tuple[str, bytes]]:
    """Name and content of every file at a location; globs in the order of their names."""
    if location.startswith(("http://", "https://")):
        found = [(location, _download(location))]
    elif Path(location).exists():
        found = [(location, _read(location))]
    elif paths := sorted(glob.glob(location, recursive=True)):  # noqa: PTH207 - a pattern may be absolute
        found = [(path, _read(path)) for path in paths]
    else:
        raise InvalidResults(f"{location}: there is no such file")
    for name, content in found:
        if len(content) > MAX_BYTES:
            raise InvalidResults(f"{name}: is larger than {MAX_BYTES} bytes")
    return found


def _load(locations: Iterable[str], read: Callable[[bytes, str], list[Fixture]]) -> list[Fixture]:
    return [
        match for location in locations for name, content in _files(location) for match in read(content, name)
    ]


def load_results(locations: Iterable[str]) -> list[Fixture]:
    """All matches of all files; raises InvalidResults naming the file at fault."""
    return _load(locations, read_results)


def load_fixtures(location: str) -> list[Fixture]:
    """The fixtures of a file; raises InvalidResults naming it."""
    return _load([location], read_fixtures)
