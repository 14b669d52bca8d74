"""What really happened in the store, read from its append-only file: every ending and every stored result.

The file holds each write that any script or client has ever made, also those before a kill -9, so a second
effect of a task cannot hide in it. (Pub/sub would miss what is sent while nobody listens.)
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import hiredis

from tandem.backplane.task_scripts import META_PREFIX, record_key
from tests.faults.ledger import TERMINAL

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHUNK = 1 << 20
RECORD = record_key("").encode()
META = META_PREFIX.encode()
STATES = {state.encode() for state in TERMINAL}


def effects(directory: Path) -> tuple[Counter[str], Counter[str]]:
    """Terminal transitions and stored results by task id, from the append-only file below `directory`."""
    endings: Counter[str] = Counter()
    stored: Counter[str] = Counter()
    for name, key, *rest in _commands(directory):
        if name.upper() in {b"HSET", b"HMSET"} and key.startswith(RECORD):
            if dict(zip(rest[::2], rest[1::2], strict=True)).get(b"s") in STATES:
                endings[key[len(RECORD) :].decode()] += 1
        elif name.upper() == b"SET" and key.startswith(META):
            stored[key[len(META) :].decode()] += 1
    return endings, stored


def _commands(directory: Path) -> Iterator[list[bytes]]:
    """Every command with at least one argument."""
    for file in sorted(directory.rglob("appendonly*.aof")):
        if file.name.endswith(".base.aof"):
            continue  # what the rewriting between two rows left
        reader = hiredis.Reader()
        with file.open("rb") as opened:
            while chunk := opened.read(CHUNK):
                reader.feed(chunk)
                while (command := reader.gets()) is not False:
                    if len(command) > 1:
                        yield command
