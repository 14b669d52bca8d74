"""What `make run` is asked for is read once, refused in one line, and never shown with a password."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from local.run_options import RunError, RunOptions, shown, variables
from tandem.backplane.settings import read_settings

if TYPE_CHECKING:
    from pathlib import Path


def test_without_variables_everything_has_a_default(tmp_path: Path) -> None:
    """Redis is broker and store, the registry lies in the checkout, and the settings accept it all."""
    options = RunOptions.of({})
    assert options.url == "http://127.0.0.1:8000"
    given = read_settings(variables(options, tmp_path, "redis://127.0.0.1:1/0", "2026-04-25"))
    assert given.broker_url == given.redis_url == "redis://127.0.0.1:1/0"
    assert given.mlflow_tracking_uri == f"sqlite:///{tmp_path / '.tandem' / 'mlflow.db'}"
    assert given.today.isoformat() == "2026-04-25"


def test_what_is_given_is_used(tmp_path: Path) -> None:
    """A broker, a registry and a pool of one's own; the store may still be private."""
    asked = {"BROKER_URL": "amqp://a:b@h//", "MLFLOW_TRACKING_URI": "http://mlflow", "WORKER_POOL": "solo"}
    options = RunOptions.of(asked)
    given = read_settings(variables(options, tmp_path, "redis://127.0.0.1:1/0", ""))
    assert given.broker_url == "amqp://a:b@h//"
    assert given.mlflow_tracking_uri == "http://mlflow"
    assert options.pool == "solo"


@pytest.mark.parametrize(
    ("environ", "line"),
    [
        ({"PORT": "http"}, "PORT must be a number"),
        ({"PORT": "0"}, "PORT must be a number"),
        ({"PORT": "65536"}, "PORT must be a number"),
        ({"AS_OF": "25/04/2026"}, "AS_OF must be a day such as"),
    ],
)
def test_a_wrong_variable_is_named(environ: dict[str, str], line: str) -> None:
    """Before anything is started."""
    with pytest.raises(RunError, match=line):
        RunOptions.of(environ)


def test_results_may_be_a_pattern_a_path_with_spaces_or_several(tmp_path: Path) -> None:
    """A pattern stays one argument, and its files are found in order."""
    directory = tmp_path / "my data"
    directory.mkdir()
    for name in ("b.csv", "a.csv"):
        (directory / name).touch()
    one = RunOptions.of({"RESULTS": f"{directory}/*.csv"})
    assert one.results == (f"{directory}/*.csv",)
    assert [file.name for file in one.files()] == ["a.csv", "b.csv"]
    assert RunOptions.of({"RESULTS": "a.csv  b.csv"}).results == ("a.csv", "b.csv")
    assert RunOptions.of({"RESULTS": " "}).results == ()


@pytest.mark.parametrize(
    ("url", "printed"),
    [
        ("redis://:secret@host:6379/0", "redis://:***@host:6379/0"),
        ("amqp://user:se%40cret@host//", "amqp://user:***@host//"),
        ("redis://127.0.0.1:6379/0", "redis://127.0.0.1:6379/0"),
        ("sqlite:////tmp/a b/mlflow.db", "sqlite:////tmp/a b/mlflow.db"),
    ],
)
def test_a_password_is_not_shown(url: str, printed: str) -> None:
    """The rest of the address is."""
    assert shown(url) == printed
