"""Processor time and memory of processes and all their children, from /proc (Linux)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

TICK_SECONDS = 1 / os.sysconf("SC_CLK_TCK")
UTIME, STIME, PARENT = 11, 12, 1


def tree(roots: Iterable[int]) -> set[int]:
    """The processes and whatever descends from them."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        fields = _stat(int(entry.name)) if entry.name.isdigit() else []
        if fields:
            children.setdefault(int(fields[PARENT]), []).append(int(entry.name))
    found: set[int] = set()
    open_ends = list(roots)
    while open_ends:
        pid = open_ends.pop()
        if pid not in found:
            found.add(pid)
            open_ends += children.get(pid, [])
    return found


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time that the living among the processes have used."""
    fields = [_stat(pid) for pid in pids]
    return sum(int(stat[UTIME]) + int(stat[STIME]) for stat in fields if stat) * TICK_SECONDS


def memory_mb(pids: Iterable[int]) -> float:
    """Proportional set size: a page that several share counts once in all."""
    return sum(map(_pss_kb, pids)) / 1024


def _pss_kb(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def _stat(pid: int) -> list[str]:
    """The fields after the program's name, which may hold spaces; empty for a process that has gone."""
    try:
        return (
            Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        )
    except OSError:
        return []
