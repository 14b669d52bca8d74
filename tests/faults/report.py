"""The figures of a run: some lines as each row ends, and a table in Markdown in docs/06-faults.md."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from tests.faults.processes import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.faults.rows import Outcome, Row

DOCUMENT = ROOT / "docs" / "06-faults.md"
COLUMNS = [
    "submitted",
    "202",
    "done",
    "failed",
    "revoked",
    "dead",
    "queued",
    "**lost**",
    "ran twice",
    "**effects twice**",
    "503",
    "longest wait (s)",
    "longest 503 (s)",
    "recovery (s)",
]


def say(text: str) -> None:
    """Print, at once."""
    print(text, flush=True)  # noqa: T201  a command-line program prints


def cells(outcome: Outcome) -> list[str]:
    """The figures of a row, in the order of COLUMNS."""
    one = outcome.figures
    counts = [one.submitted, one.accepted, one.done, one.failed, one.revoked, one.dead, one.queued, one.lost]
    counts += [one.ran_twice, one.effects_twice, one.refused]
    return [*map(str, counts), *(f"{s:.1f}" for s in (one.longest_wait, one.longest_refusal, one.recovery))]


def line(outcome: Outcome) -> str:
    """The row for the screen."""
    pairs = zip(COLUMNS, cells(outcome), strict=True)
    said = ", ".join(f"{name.strip('*')} {cell}" for name, cell in pairs)
    statuses = Counter((call.kind, call.status) for call in outcome.ledger.calls)
    said += f"\n    {', '.join(f'{kind} {status}: {n}' for (kind, status), n in sorted(statuses.items()))}"
    ends = [*(f"\n    BROKEN: {text}" for text in outcome.broken), *(f"\n    {s}" for s in outcome.remarks)]
    return f"{outcome.name} ({outcome.seconds:.0f} s): {said}{''.join(ends)}"


def table(heading: str, outcomes: Sequence[Outcome], not_run: dict[str, str]) -> str:
    """The table of one broker, and below it what was not run."""
    head = ["fault", *COLUMNS]
    lines = [heading, "", "| " + " | ".join(head) + " |", "|---" + "|--:" * len(COLUMNS) + "|"]
    lines += [f"| {outcome.name} | " + " | ".join(cells(outcome)) + " |" for outcome in outcomes]
    lines += [""]
    lines += [f"- {one.name}: {'; '.join(one.remarks)}." for one in outcomes if one.remarks]
    lines += [f"- {one.name}: **broken**: {'; '.join(one.broken)}." for one in outcomes if one.broken]
    lines += [f"- {name}: not run, {reason}." for name, reason in not_run.items()]
    return "\n".join(lines).strip()


def descriptions(rows: Iterable[Row]) -> str:
    """What each row does."""
    lines = ["| row | does |", "|---|---|", *(f"| {row.name} | {row.says} |" for row in rows)]
    return "\n".join(lines)


def write(name: str, text: str) -> None:
    """Put a text between the markers of that name; everything else stays."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    section = f"{begin}\n{text}\n{end}"
    document = DOCUMENT.read_text(encoding="utf-8")
    found = re.compile(re.escape(begin) + r".*?" + re.escape(end), re.DOTALL)
    if found.search(document):
        document = found.sub(lambda _: section, document)
    else:
        document = f"{document.rstrip()}\n\n{section}\n"
    DOCUMENT.write_text(document, encoding="utf-8")
