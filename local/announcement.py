"""What `make run` prints once everything answers: what runs where, and what to try."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

ASK_SECONDS = 5
OK = 200


def is_ready(url: str) -> bool:
    """Whether the gateway at `url` says that a prediction can be had."""
    try:
        with urllib.request.urlopen(f"{url}/health/ready", timeout=ASK_SECONDS) as answer:  # noqa: S310  our own
            return bool(answer.status == OK)
    except OSError:
        return False


def first_match(url: str) -> dict[str, Any] | None:
    """The soonest upcoming match, None when there is none."""
    with urllib.request.urlopen(f"{url}/predict/matches/?limit=1", timeout=ASK_SECONDS) as answer:  # noqa: S310
        matches = json.load(answer)
    return matches[0] if matches else None


def announcement(url: str, rows: Sequence[Sequence[str]], match: dict[str, Any] | None) -> str:
    """A table of what runs (name, process, address, log) and lines to try."""
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    table = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    lines = ["", *(f"  {line}" for line in table), ""]
    if match is not None:
        match_id = match["match_id"]
        lines += [
            f"  {match['home_team']} - {match['away_team']}, {match['match_date']}:",
            f"    curl {url}/predict/{match_id}",
            f"    curl {url}/predict/async/ -d '{{\"match_id\": {match_id}}}'",
        ]
    lines += [
        f"    curl '{url}/predict/matches/?limit=5'",
        "",
        f"  all routes: {url}/docs   Ctrl-C stops everything",
    ]
    return "\n".join(lines)
