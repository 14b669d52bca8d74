"""The mark inside an environment: how far its making came, from which lock file, with which groups."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

NAME = "tandem.json"


@dataclass(frozen=True)
class Stamp:
    """`state` is "making" or "ready" ("" when there is no stamp); `lock` the digest of the lock file."""

    state: str = ""
    lock: str = ""
    groups: tuple[str, ...] = ()

    @classmethod
    def read(cls, directory: Path) -> Stamp:
        """The stamp of the environment in `directory`; an empty one when there is none to read."""
        try:
            read = json.loads((directory / NAME).read_text(encoding="utf-8"))
            return cls(str(read["state"]), str(read["lock"]), tuple(map(str, read["groups"])))
        except (OSError, ValueError, KeyError, TypeError):
            return cls()

    def write(self, directory: Path) -> None:
        """Put the stamp into the environment, whole or not at all."""
        part = directory / f"{NAME}.part"
        part.write_text(json.dumps(asdict(self)), encoding="utf-8")
        part.replace(directory / NAME)


def digest(lock_file: Path) -> str:
    """What tells one lock file from another."""
    return hashlib.sha256(lock_file.read_bytes()).hexdigest()


def locked_version(package: str, lock_file: Path) -> str:
    """The version of `package` in a `uv.lock`; ValueError when it is not locked there."""
    text = lock_file.read_text(encoding="utf-8")
    found = re.search(rf'^name = "{re.escape(package)}"\nversion = "([^"]+)"', text, re.MULTILINE)
    if found is None:
        raise ValueError(f"{lock_file} does not lock {package}")
    return found.group(1)
