"""What `make e2e` writes into the documentation goes between its markers and nowhere else."""

from pathlib import Path

import pytest

from local.e2e import DOCUMENT
from local.e2e_tables import put_tables, sizes_table

NAMES = ("three-ways", "refused", "sizes")


def marked(name: str, table: str) -> str:
    """A table between its markers."""
    return f"<!-- {name}: written by make e2e -->\n{table}<!-- end of {name} -->\n"


def test_a_table_replaces_what_stood_between_its_markers(tmp_path: Path) -> None:
    """Once more changes nothing, and a table without a file stays as it is."""
    document, found = tmp_path / "document.md", tmp_path / "found"
    found.mkdir()
    (found / "sizes.md").write_text(r"| \1 |" + "\n")
    document.write_text("before\n" + marked("sizes", "old\n") + "between\n" + marked("refused", "kept\n"))
    for _ in range(2):
        put_tables(document, found)
        assert document.read_text() == (
            "before\n" + marked("sizes", "| \\1 |\n") + "between\n" + marked("refused", "kept\n")
        )


def test_a_table_without_markers_is_named(tmp_path: Path) -> None:
    """It would be lost without a word."""
    (tmp_path / "sizes.md").write_text("| |\n")
    document = tmp_path / "sub" / "document.md"
    document.parent.mkdir()
    document.write_text("nothing\n")
    with pytest.raises(ValueError, match="sizes"):
        put_tables(document, tmp_path)


@pytest.mark.parametrize("name", NAMES)
def test_the_chapter_has_the_markers(name: str) -> None:
    """Those of every table that is written."""
    text = DOCUMENT.read_text()
    assert f"<!-- {name}: written by make e2e -->\n" in text
    assert f"<!-- end of {name} -->\n" in text


def test_sizes_are_megabytes() -> None:
    """Images to the megabyte, packages finer."""
    table = sizes_table({"worker": 1_234_567_890}, {"TandemLayer": 27_340_000})
    assert table.splitlines()[2:] == ["| image | worker | 1235 |", "| SAM | TandemLayer | 27.34 |"]
