"""The chapter says what the suite does: a row that is added is described there."""

from __future__ import annotations

from tests.faults.matrix import ROWS
from tests.faults.report import DOCUMENT, descriptions


def test_the_chapter_describes_every_row() -> None:
    """As the rows themselves say it; a whole run writes it."""
    assert descriptions(ROWS.values()) in DOCUMENT.read_text(encoding="utf-8")
