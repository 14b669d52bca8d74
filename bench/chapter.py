"""The generated parts of docs/08-performance.md: between markers, from the results that are kept."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bench import place, plots, required
from bench.bench import DOCS, kept, results
from bench.measurements import MEASUREMENTS

if TYPE_CHECKING:
    from bench.bench import Figures
    from bench.options import Options

CHAPTER = place.ROOT / "docs" / "08-performance.md"


def write(options: Options) -> None:
    """Put tables and plots into the chapter; a quick run prints its tables instead."""
    found = {name: figures for name in MEASUREMENTS if (figures := kept(results(options), name))}
    parts = {name: MEASUREMENTS[name].show(figures) for name, figures in found.items()}
    parts["required"] = required.show(found)
    if options.quick:
        for lines in parts.values():
            print("\n".join(["", *lines]))
        return
    parts["measured-on"] = [_measured_on(found)]
    for name, alt in plots.write(found, DOCS).items():
        parts[name] = [*parts[name], "", f"![{alt}](bench/{name}.svg)"]
    text = CHAPTER.read_text(encoding="utf-8")
    for name, lines in parts.items():
        text = replaced(text, name, lines)
    CHAPTER.write_text(text, encoding="utf-8")
    print(f"\nbench: {CHAPTER.relative_to(place.ROOT)} is written")


def replaced(text: str, name: str, lines: list[str]) -> str:
    """The text with `lines` between the markers of that name; ValueError where it has none."""
    begin, end = f"<!-- bench: {name} -->", "<!-- bench end -->"
    pattern = re.compile(f"{re.escape(begin)}\n.*?{re.escape(end)}", re.DOTALL)
    body = "\n".join([begin, *lines, end])
    text, count = pattern.subn(lambda _: body, text)
    if count != 1:
        raise ValueError(f"the chapter has {count} places for {name}, not one")
    return text


def _measured_on(found: dict[str, Figures]) -> str:
    places = {tuple(sorted(figures["measured_on"].items())) for figures in found.values()}
    return "; ".join(
        f"{one['day']}, {one['cores']} cores, {one['system']}, Python {one['python']}"
        for one in map(dict, sorted(places))
    )
