"""The command line: `python -m models.football train` and `python -m models.football publish`."""

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence
from datetime import date

from models.football.history import History, history_of
from models.football.made_up_league import made_up_league
from models.football.publishing import upcoming_matches
from models.football.results_csv import InvalidResults, day_of
from models.football.sources import load_fixtures, load_results
from tandem.backplane.errors import SettingsError, TandemError
from tandem.backplane.match_store import publish_matches
from tandem.backplane.settings import settings
from tandem.backplane.store import synchronous_client

MLFLOW_DEFAULTS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}
"""Read by MLflow when it is imported; the environment may say otherwise. Its own waits add up to an hour."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m models.football",
        description="Train the match model, or publish the matches to come. Without files: a made-up league.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    train = commands.add_parser("train", help="train, evaluate on the newest matches, register, promote")
    publish = commands.add_parser(
        "publish", help="put upcoming matches with their features into the match store"
    )
    for command in (train, publish):
        command.add_argument(
            "--results",
            nargs="+",
            default=[],
            metavar="FILE",
            help="results in the form of football-data.co.uk: paths, glob patterns or URLs",
        )
        command.add_argument(
            "--as-of",
            type=day_of,
            metavar="DATE",
            help="the day up to which results are known (default: that of the last result, by AS_OF if set)",
        )
    train.add_argument("--if-missing", action="store_true", help="do nothing where the alias has a model")
    train.add_argument("--promote", action="store_true", help="serve the new model even if it is worse")
    publish.add_argument("--fixtures", metavar="FILE", help="Date, HomeTeam, AwayTeam and if given match_id")
    return parser


def _history(results: Sequence[str], fixtures: str | None, as_of: date | None) -> History:
    if not results and fixtures:
        raise InvalidResults(f"{fixtures}: fixtures need the results before them (--results)")
    if results:
        return history_of(
            load_results(results),
            load_fixtures(fixtures) if fixtures else [],
            as_of=as_of,
            today=settings().as_of,
        )
    return made_up_league(as_of or settings().today).history


def _train(arguments: argparse.Namespace) -> None:
    uri, name, alias = settings().mlflow_tracking_uri, settings().match_model, settings().model_alias
    if not uri:
        raise SettingsError("MLFLOW_TRACKING_URI is not set: it names the registry the model goes to")
    history = _history(arguments.results, None, arguments.as_of)
    for variable, value in MLFLOW_DEFAULTS.items():
        os.environ.setdefault(variable, value)
    # MLflow takes seconds to import: by now a wrong file has been told.
    from models.football.promotion import champion  # noqa: PLC0415
    from models.football.training import summary, train  # noqa: PLC0415

    if arguments.if_missing and (served := champion(name, alias, uri)):
        print(f"train: {name}@{alias} is version {served.version} already, nothing to do")
        return
    trained = train(
        history,
        name=name,
        alias=alias,
        tracking_uri=uri,
        regardless=arguments.promote,
        report=lambda line: print(f"train: {line}", flush=True),
    )
    print(summary(trained, alias, made_up=history.made_up))


def _publish(arguments: argparse.Namespace) -> None:
    history = _history(arguments.results, arguments.fixtures, arguments.as_of)
    if not history.upcoming:
        raise InvalidResults(f"no match is to be played from {history.as_of} on; name a file with --fixtures")
    print(f"publish: features of {history.description}", flush=True)
    if history.unknown_teams:
        print(f"publish: no result is known of {', '.join(history.unknown_teams)}: taken as newly promoted")
    matches = upcoming_matches(history)
    with contextlib.closing(synchronous_client(settings().redis_url)) as client:
        publish_matches(client, matches)
    print(
        f"published {len(matches)} upcoming matches as of {history.as_of}, "
        f"{matches[0].match_date} to {matches[-1].match_date}"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; gives 0, 2 for input or a setting that is wrong, 1 where registry or store fail."""
    chosen = _parser().parse_args(arguments)
    try:
        {"train": _train, "publish": _publish}[chosen.command](chosen)
    except (InvalidResults, SettingsError) as error:
        print(f"{chosen.command}: {error}", file=sys.stderr)
        return 2
    except TandemError as error:
        print(f"{chosen.command}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
