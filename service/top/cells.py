"""Text in the cells of a terminal: how wide it is, cut to fit, painted, and never an order to the terminal.

≠ what is shown.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from ..pages.format import plain

ELLIPSIS = "…"
_NO_WIDTH = frozenset({"Mn", "Me", "Cf"})


class Style(StrEnum):
    """How text looks; the value is what a terminal is told."""

    PLAIN = ""
    BOLD = "1"
    DIM = "2"
    HEAD = "7"
    RED = "1;31"
    YELLOW = "33"
    GREEN = "32"
    CHOSEN = "1;7"


_WITHOUT_COLOUR = {Style.RED: Style.BOLD, Style.YELLOW: Style.PLAIN, Style.GREEN: Style.PLAIN}


@dataclass(slots=True)
class Line:
    """One line of the screen: pieces of text, each with its style.

    Attributes:
        base: The style of what fills the line up, and of pieces that have none.
    """

    pieces: list[tuple[str, Style]] = field(default_factory=list)
    base: Style = Style.PLAIN

    def add(self, text: str, style: Style = Style.PLAIN) -> Line:
        """Put text at the end; return the line."""
        self.pieces.append((text, style))
        return self


def harmless(text: str) -> str:
    """Return foreign text on one line, without anything a terminal would obey or that is not seen."""
    return " ".join(plain(text).split())


def width(text: str) -> int:
    """Return how many cells a text takes."""
    return sum(map(_width, text)) if not text.isascii() else len(text)


def _width(letter: str) -> int:
    if unicodedata.category(letter) in _NO_WIDTH:
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def cut(text: str, cells: int) -> str:
    """Return a text in at most so many cells; what was cut away is an ellipsis."""
    if width(text) <= cells:
        return text
    kept, left = [], cells - 1
    for letter in text:
        left -= _width(letter)
        if left < 0:
            break
        kept.append(letter)
    return "".join(kept) + ELLIPSIS if cells > 0 else ""


def cell(text: str, cells: int, *, right: bool = False) -> str:
    """Return a text in exactly so many cells."""
    text = cut(text, cells)
    space = " " * (cells - width(text))
    return space + text if right else text + space


def wrapped(text: str, cells: int) -> list[str]:
    """Return a text in lines of at most so many cells, broken at spaces where there are any."""
    lines = [""]
    for word in text.split():
        for i, part in enumerate(_parts(word, cells)):
            joined = f"{lines[-1]} {part}".strip()
            if not i and width(joined) <= cells:
                lines[-1] = joined
            else:
                lines.append(part)
    return lines


def _parts(word: str, cells: int) -> Iterator[str]:
    """Return a word in pieces that fit."""
    part = ""
    for letter in word:
        if part and width(part) + _width(letter) > cells:
            yield part
            part = ""
        part += letter
    yield part


def painted(line: Line, cells: int, *, colour: bool) -> str:
    """Return a line as it is written, in exactly so many cells."""
    left, out = cells, []
    for text, style in line.pieces:
        fitting = cut(text, left)
        left -= width(fitting)
        out.append(_paint(fitting, line.base if style is Style.PLAIN else style, colour=colour))
    if left > 0:
        out.append(_paint(" " * left, line.base, colour=colour))
    return "".join(out)


def _paint(text: str, style: Style, *, colour: bool) -> str:
    style = style if colour else _WITHOUT_COLOUR.get(style, style)
    return f"\x1b[{style.value}m{text}\x1b[0m" if style is not Style.PLAIN and text else text


def written(lines: Iterable[Line]) -> list[str]:
    """Return lines as plain text, without what fills them up."""
    return ["".join(text for text, _ in line.pieces).rstrip() for line in lines]
