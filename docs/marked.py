"""Pages of which people write the prose and code the tables: a part stands between two comments that name it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

_PART = re.compile(r"(<!-- from code: (?P<name>[\w-]+) -->\n).*?(^<!-- end -->)", re.DOTALL | re.MULTILINE)


def renewed(page: str, parts: Mapping[str, str]) -> str:
    """Return a page with these parts in place of those that stand there.

    Raises:
        ValueError: A part has no place, or a place no part, or a part two places.
    """
    places = [found["name"] for found in _PART.finditer(page)]
    if sorted(places) != sorted(parts):
        raise ValueError(f"parts: {sorted(parts)}: the page has places for {sorted(places)}: write <!-- from code: NAME --> and <!-- end -->")
    return _PART.sub(lambda found: f"{found[1]}\n{parts[found['name']].strip()}\n\n{found[3]}", page)


def stale(page: Path, parts: Mapping[str, str]) -> list[str]:
    """Return the lines of a page that are not what they would be, each with `-`, and with `+` what they would be."""
    text = page.read_text(encoding="utf-8")
    lines = difflib.unified_diff(text.splitlines(), renewed(text, parts).splitlines(), lineterm="", n=0)
    return [line for line in lines if not line.startswith(("---", "+++", "@@"))]


def renew(page: Path, parts: Mapping[str, str]) -> None:
    """Write a page anew."""
    page.write_text(renewed(page.read_text(encoding="utf-8"), parts), encoding="utf-8")


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Return a table of Markdown; what is in a cell stands there as it is, but for `|`."""
    return "\n".join([_line(head), "|" + "---|" * len(head), *map(_line, rows)]) + "\n"


def _line(cells: tuple[str, ...]) -> str:
    escaped = (cell.replace("|", "\\|") for cell in cells)
    return "".join(f"| {cell} " if cell else "| " for cell in escaped) + "|"


def code(names: Iterable[object]) -> str:
    """Return names as code, with commas between."""
    return ", ".join(f"`{name}`" for name in names)
