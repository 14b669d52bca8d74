"""The command line: what it does, what it prints, and how it ends."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import mlflow
import pytest

from local.private_redis import PrivateRedis
from models.football.__main__ import main
from models.football.made_up_league import MadeUpLeague
from tandem.backplane.match_store import INDEX, match_key
from tandem.backplane.settings import settings
from tandem.backplane.store import synchronous_client
from tandem.schemas.match import Match
from tests.unit.models.football.conftest import MLFLOW_WARNINGS

pytestmark = pytest.mark.filterwarnings(*MLFLOW_WARNINGS)


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, registry: str, redis_server: PrivateRedis) -> Iterator[None]:
    """Settings that point at the tests' registry and store, on 14 March 2026."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", registry)
    monkeypatch.setenv("REDIS_URL", redis_server.url)
    monkeypatch.setenv("MATCH_MODEL", "command-line")
    monkeypatch.setenv("AS_OF", "2026-03-14")
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.fixture
def results(tmp_path: Path, league: MadeUpLeague) -> Path:
    """A file of the first 500 results of the made-up league, goals alone."""
    lines = [
        f"{match.match_date},{match.home_team},{match.away_team},{match.home.goals},{match.away.goals}"
        for match in league.history.played[:500]
        if match.home and match.away
    ]
    path = tmp_path / "results.csv"
    path.write_text("\n".join(["Date,HomeTeam,AwayTeam,FTHG,FTAG", *lines, ""]))
    return path


def stored(url: str, match_id: int) -> Match:
    """A match as a function would find it."""
    client = synchronous_client(url)
    text = client.get(match_key(match_id))
    client.close()
    assert isinstance(text, bytes)
    return Match.model_validate_json(text)


@pytest.mark.usefixtures("environment")
def test_trains_registers_and_promotes(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Files without shots end in a served model and its figures; asked again, there is nothing to do."""
    assert main(["train", "--results", str(results)]) == 0
    printed = capsys.readouterr().out
    assert "command-line version 1, now champion" in printed
    assert "log-loss" in printed
    assert "accuracy" in printed
    served = mlflow.MlflowClient().get_model_version_by_alias("command-line", "champion")
    assert str(served.version) == "1"
    assert main(["train", "--if-missing"]) == 0
    assert "nothing to do" in capsys.readouterr().out


@pytest.mark.usefixtures("environment")
def test_publishes_the_made_up_league(redis_server: PrivateRedis, capsys: pytest.CaptureFixture[str]) -> None:
    """Without files, match 42 of the made-up league can be looked up, and says that it is made up."""
    assert main(["publish"]) == 0
    assert "a made-up league" in capsys.readouterr().out
    match = stored(redis_server.url, 42)
    assert match.home_team.endswith("(made up)")
    assert match.as_of == date(2026, 3, 14) < match.match_date


@pytest.mark.usefixtures("environment")
def test_publishes_given_fixtures(
    results: Path, tmp_path: Path, redis_server: PrivateRedis, capsys: pytest.CaptureFixture[str]
) -> None:
    """Fixtures replace what was published before, as of the last result, and unknown teams are told."""
    fixtures = tmp_path / "fixtures.csv"
    fixtures.write_text("Date,HomeTeam,AwayTeam,match_id\n14/03/2026,Aldermoor (made up),Nobody,7\n")
    assert main(["publish", "--results", str(results), "--fixtures", str(fixtures)]) == 0
    assert "no result is known of Nobody" in capsys.readouterr().out
    match = stored(redis_server.url, 7)
    assert match.away_team == "Nobody"
    assert match.as_of < date(2026, 3, 14)
    client = synchronous_client(redis_server.url)
    assert client.zrange(INDEX, 0, -1) == [b"7"]
    client.close()


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["publish", "--results", "absent.csv"], "absent.csv: there is no such file"),
        (["publish", "--fixtures", "fixtures.csv"], "fixtures need the results before them"),
        (["train", "--results", "absent-*.csv"], "absent-*.csv: there is no such file"),
    ],
)
def test_bad_input_ends_with_2_and_one_line(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Input at fault is told in a line that names it, with exit status 2."""
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1


@pytest.mark.usefixtures("environment")
def test_nothing_to_publish_is_bad_input(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Results alone, with no match to come, are told as such and change nothing in the store."""
    assert main(["publish", "--results", str(results)]) == 2
    assert "name a file with --fixtures" in capsys.readouterr().err


def test_a_missing_registry_setting_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without MLFLOW_TRACKING_URI training says so and ends with 2."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    settings.cache_clear()
    assert main(["train"]) == 2
    assert "MLFLOW_TRACKING_URI is not set" in capsys.readouterr().err
    settings.cache_clear()


def test_a_store_that_is_away_ends_with_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What may pass by itself ends with 1, in one line."""
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:9/0")
    settings.cache_clear()
    assert main(["publish"]) == 1
    assert "The store did not answer" in capsys.readouterr().err
    settings.cache_clear()
