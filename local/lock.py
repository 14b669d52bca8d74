"""A lock between processes: a file that one process at a time holds, and that its death releases."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import IO, Self

if sys.platform == "win32":
    import msvcrt

    def _seize(file: IO[str], *, wait: bool) -> None:
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _seize(file: IO[str], *, wait: bool) -> None:
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)


class Lock:
    """Held from `take` to `release`, or to the end of every process that inherited `fileno()`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: IO[str] | None = None

    def take(self, *, wait: bool = False) -> bool:
        """Take the lock; False when another process holds it and `wait` is not asked for."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = self.path.open("a", encoding="utf-8")
        try:
            _seize(file, wait=wait)
        except OSError:
            file.close()
            return False
        self._file = file
        return True

    def fileno(self) -> int:
        """The descriptor that carries the lock; a child that inherits it holds the lock as well."""
        if self._file is None:
            raise ValueError(f"the lock on {self.path} is not held")
        return self._file.fileno()

    def release(self) -> None:
        """Give the lock back; harmless when it is not held."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
