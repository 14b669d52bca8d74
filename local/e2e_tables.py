"""What `make e2e` has found, put into the documentation between the markers of the same name."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def put_tables(document: Path, found: Path) -> None:
    """Replace each table that the directory `found` has a file for; ValueError where it has no markers."""
    text = document.read_text(encoding="utf-8")
    for file in sorted(found.glob("*.md")):
        begin, end = f"<!-- {file.stem}: written by make e2e -->\n", f"<!-- end of {file.stem} -->"
        before, found_begin, rest = text.partition(begin)
        _, found_end, after = rest.partition(end)
        if not (found_begin and found_end):
            raise ValueError(f"{document} has no markers for {file.stem}")
        text = before + begin + file.read_text(encoding="utf-8") + end + after
    document.write_text(text, encoding="utf-8")


def sizes_table(images: Mapping[str, int], artefacts: Mapping[str, int]) -> str:
    """Megabytes of container images and of what SAM packs."""
    rows = [f"| image | {name} | {size / 1e6:.0f} |\n" for name, size in sorted(images.items())]
    rows += [f"| SAM | {name} | {size / 1e6:.2f} |\n" for name, size in sorted(artefacts.items())]
    return "| | | MB |\n|---|---|---|\n" + "".join(rows)
