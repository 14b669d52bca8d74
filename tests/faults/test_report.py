"""The chapter says what the suite does and what came of it: rows described, figures shown."""

from __future__ import annotations

from tests.faults.ledger import Accepted, Call, Ledger
from tests.faults.matrix import ROWS
from tests.faults.report import COLUMNS, DOCUMENT, descriptions, line, table
from tests.faults.rows import Outcome, failed


def test_the_chapter_describes_every_row() -> None:
    """As the rows themselves say it; a whole run writes it."""
    assert descriptions(ROWS.values()) in DOCUMENT.read_text(encoding="utf-8")


def an_outcome() -> Outcome:
    """A row of three submissions: one done, one still queued, one refused."""
    ledger = Ledger(submitted=3, fault_ended_at=1000.0)
    ledger.accepted = {
        "a": Accepted(1, 999.0, "SUCCESS", 1002.0, 1),
        "b": Accepted(2, 999.0, "PENDING"),
    }
    ledger.calls = [Call("submit", 202, 0.25), Call("submit", 202, 0.25), Call("submit", 503, 4.25)]
    ledger.executions.update({1: 2})
    return Outcome("kill", ledger, ["one is queued", "and it stays"], ["it was slow"], 12.0)


def test_a_table_has_a_column_for_each_figure() -> None:
    """One line a row below its head, with as many cells as the head has."""
    heading, empty, *lines = table("### Here", [an_outcome()], {}).splitlines()
    assert (heading, empty) == ("### Here", "")
    head, rule, row = ([cell.strip() for cell in one.strip("|").split("|")] for one in lines[:3])
    assert head == ["fault", *COLUMNS]
    assert rule == ["---", *["--:"] * len(COLUMNS)]
    told = dict(zip(head, row, strict=True))
    assert told == {
        "fault": "kill",
        "submitted": "3",
        "202": "2",
        "done": "1",
        "failed": "0",
        "revoked": "0",
        "dead": "0",
        "queued": "1",
        "**lost**": "0",
        "ran twice": "1",
        "**effects twice**": "0",
        "503": "1",
        "longest wait (s)": "4.2",
        "longest 503 (s)": "4.2",
        "recovery (s)": "2.0",
    }


def test_a_table_hides_nothing_that_went_wrong() -> None:
    """What is broken, what was remarked and what was not run stand below it."""
    whole = Outcome("whole", Ledger(), [], [], 1.0)
    broken_off = failed("off", OSError("no disk"))
    text = table("", [an_outcome(), whole, broken_off], {"flood": "there is no water"})
    _, _, below = text.partition("\n\n")
    assert below.splitlines() == [
        "- kill: it was slow.",
        "- kill: **broken**: one is queued; and it stays.",
        "- off: **broken**: it broke off: OSError('no disk').",
        "- flood: not run, there is no water.",
    ]


def test_the_line_on_the_screen_says_the_same() -> None:
    """With the statuses that callers had, and each broken invariant on a line of its own."""
    first, *rest = line(an_outcome()).splitlines()
    assert first.startswith("kill (12 s): submitted 3, 202 2, done 1, ")
    assert "lost 0, ran twice 1, effects twice 0" in first
    assert rest == [
        "    submit 202: 2, submit 503: 1",
        "    BROKEN: one is queued",
        "    BROKEN: and it stays",
        "    it was slow",
    ]
