"""Problem: one thing wrong with what an operator wrote, and where it stands.

≠ files, lines.
"""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from claxon.event import redact

Path: TypeAlias = tuple[str | int, ...]
"""Where in the file: ("route", "routes", 0, "receiver")."""

MAX_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong, and where.

    Attributes:
        path: Where it stands.
        text: *value: remedy*.
    """

    path: Path
    text: str

    @property
    def where(self) -> str:
        """The path as people write it: route.routes[0].receiver."""
        said = ""
        for part in self.path:
            name = f"[{part}]" if isinstance(part, int) else _name(part)
            said += f".{name}" if said and isinstance(part, str) else name
        return said

    @property
    def said(self) -> str:
        """Path and text in one line."""
        return f"{self.where}: {self.text}" if self.path else self.text

    def under(self, path: Path) -> Problem:
        """Return the problem of a part as one of the whole."""
        return Problem((*path, *self.path), self.text)


def _name(part: str) -> str:
    # A key of YAML may hold lines, and more of them than anybody reads.
    return part if part.isprintable() and len(part) <= MAX_SHOWN else shown(part)


_short = reprlib.Repr()
_short.maxstring = _short.maxother = _short.maxlong = MAX_SHOWN
_short.maxlevel = 3


def shown(value: object) -> str:
    """Return a value as it may stand in a message: short, one line, without keys."""
    if isinstance(value, str):
        text = repr(value[:1000])
    elif isinstance(value, float):
        text = f"{value:.12g}"
    else:
        # Bounded: a value may hold itself, or be a number that Python refuses to print.
        text = _plain(value)
    text = redact(text)
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"


def _plain(value: object) -> str:
    try:
        return _short.repr(value)
    except ValueError:
        return "a number of very many digits"


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the remedy for a name that is not known: the one that was meant, or all there are."""
    names = list(known)
    close = difflib.get_close_matches(name[:100], names, n=1)
    return f"did you mean {close[0]}?" if close else f"one of {', '.join(names)}"
