"""Dead letters from the command line: `python -m worker.dead_letters list|show|replay|purge`.

list                          a line each, oldest first
show TASK_ID                  headers and body of one
replay TASK_ID … | --all      run again, [--model-version V] against a chosen version; no chunk of a batch
purge  TASK_ID … | --all      throw away
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence

from tandem.backplane import dead_letter_queue
from tandem.backplane.bulk_parts import TASK
from tandem.backplane.dead_letter_queue import DeadLetter
from tandem.backplane.errors import TandemError
from tandem.backplane.settings import Settings, settings
from tandem.backplane.store import synchronous_client
from tandem.backplane.task_attempts import TaskAttempts

BODY_SHOWN = 4_000
"""Characters of a body that `show` prints at most."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 when done, 1 when nothing matched, 2 when the broker or the store is away."""
    given = _parser().parse_args(arguments)
    try:
        return int(given.run(settings(), given))
    except TandemError as error:
        print(f"dead_letters: {error.detail}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m worker.dead_letters", description="Dead letters.")
    commands = parser.add_subparsers(required=True, metavar="list|show|replay|purge")
    listing = commands.add_parser("list", help="a line each, oldest first")
    listing.add_argument("--limit", type=int, default=100)
    listing.set_defaults(run=_list)
    show = commands.add_parser("show", help="headers and body of one")
    show.add_argument("task_id")
    show.set_defaults(run=_show)
    for name, run, text in (("replay", _replay, "run again"), ("purge", _purge, "throw away")):
        command = commands.add_parser(name, help=text)
        which = command.add_mutually_exclusive_group(required=True)
        which.add_argument("task_ids", nargs="*", default=[], metavar="TASK_ID")
        which.add_argument("--all", action="store_true")
        if name == "replay":
            command.add_argument("--model-version", help="a version of the registry instead of the alias")
        command.set_defaults(run=run)
    return parser


def _list(given: Settings, arguments: argparse.Namespace) -> int:
    letters = dead_letter_queue.peek(given, arguments.limit)
    for letter in letters:
        print(
            _plain(
                f"{letter.task_id}  {letter.reason:<14} {letter.queue:<8} "
                f"{letter.task} {letter.model} {letter.died_at}"
            )
        )
    print(f"{len(letters)} dead letters" + (" or more" if len(letters) == arguments.limit else ""))
    return 0


def _show(given: Settings, arguments: argparse.Namespace) -> int:
    for letter in dead_letter_queue.peek(given):
        if letter.task_id == arguments.task_id:
            print(json.dumps(dict(letter.headers), indent=2, default=str))
            print(_plain(letter.body[:BODY_SHOWN].decode(errors="replace")))
            return 0
    print(f"no dead letter of task {arguments.task_id}", file=sys.stderr)
    return 1


def _plain(text: str) -> str:
    """One line that a terminal takes for text: anybody may have written what is in a dead letter."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def _replay(given: Settings, arguments: argparse.Namespace) -> int:
    client = synchronous_client(given.redis_url)
    try:
        replayed = dead_letter_queue.replay(
            given,
            _chosen_of_single_tasks(arguments),
            TaskAttempts(client, given).reopen,
            arguments.model_version,
        )
    finally:
        client.close()
    print(f"replayed {len(replayed)}: {' '.join(replayed)}".rstrip(": "))
    return 0 if replayed else 1


def _chosen_of_single_tasks(arguments: argparse.Namespace) -> Callable[[DeadLetter], bool]:
    """Without chunks: the others of a job that has failed were skipped, so one alone would be of no use."""
    chosen = _chosen(arguments)
    return lambda letter: letter.task != TASK and chosen(letter)


def _purge(given: Settings, arguments: argparse.Namespace) -> int:
    count = dead_letter_queue.purge(given, _chosen(arguments))
    print(f"purged {count}")
    return 0 if count else 1


def _chosen(arguments: argparse.Namespace) -> Callable[[DeadLetter], bool]:
    return lambda letter: arguments.all or letter.task_id in arguments.task_ids


if __name__ == "__main__":
    sys.exit(main())
