"""What the tests of the football model share: a made-up league, one registry, and the real results if present."""

from datetime import date
from pathlib import Path

import pytest

from models.football.history import History, history_of
from models.football.made_up_league import MadeUpLeague, made_up_league
from models.football.sources import load_fixtures, load_results

AS_OF = date(2026, 3, 14)
REAL_DATA = Path(__file__).parents[4].parent / "shared" / "data" / "football"


@pytest.fixture(scope="session")
def league() -> MadeUpLeague:
    """The made-up league as of 14 March 2026."""
    return made_up_league(AS_OF)


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An empty MLflow registry over SQLite; made once, since its tables take seconds."""
    return f"sqlite:///{tmp_path_factory.mktemp('registry')}/mlflow.db"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real results; a test that needs it is skipped where it is absent."""
    if not REAL_DATA.is_dir():
        pytest.skip(f"the real results are not at {REAL_DATA}")
    return REAL_DATA


@pytest.fixture(scope="session")
def real_history(real_data: Path) -> History:
    """Ten seasons of the Premier League, the last to 13 March 2026, with the fixtures after it."""
    fixtures = load_fixtures(str(real_data / "fixtures-from-2026-03-14.csv"))
    return history_of(load_results([str(real_data / "season-*.csv")]), fixtures)
