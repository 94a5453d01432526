"""Reading: typed values out of what a file holds; each problem is noted with its path, and reading goes on.

≠ what a scenario is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import TypeAlias

from claxon.event import shown

from ..errors import DurationError
from ..offsets import parse_offset
from ..problems import Path, Problem

Entry: TypeAlias = Mapping[str, object]


class Reader:
    """Notes all that is wrong; what cannot be read is returned as something harmless."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def wrong(self, path: Path, text: str) -> None:
        """Note one thing wrong."""
        self.problems.append(Problem(path, text))

    def mapping(self, data: object, path: Path, what: str = "a mapping") -> Entry:
        """Return a mapping, its names as texts."""
        if isinstance(data, Mapping):
            return {str(name): value for name, value in data.items()}
        self.wrong(path, f"{shown(data)}: expected {what}")
        return {}

    def filled(self, data: object, path: Path, what: str) -> Entry:
        """Return a mapping that is not empty; empty where it cannot be read."""
        if data == {}:
            self.wrong(path, f"empty: expected {what}")
        return self.mapping(data, path, what)

    def items(self, data: object, path: Path, what: str) -> list[tuple[Path, object]]:
        """Return a list's items, each with its path."""
        if isinstance(data, list):
            return [((*path, i), item) for i, item in enumerate(data)]
        self.wrong(path, f"{shown(data)}: expected {what}")
        return []

    def known(self, entry: Entry, path: Path, names: Iterable[str]) -> None:
        """Refuse names that mean nothing here."""
        allowed = tuple(names)
        for name in entry:
            if name not in allowed:
                self.wrong((*path, name), f"not known here: one of {', '.join(allowed)}")

    def one_of(self, entry: Entry, path: Path, names: Iterable[str]) -> str:
        """Return which one of some names an entry has; "" where it has none or several."""
        allowed = tuple(names)
        found = [name for name in allowed if name in entry]
        if len(found) == 1:
            return found[0]
        said = f"{' and '.join(found)}: " if found else ""
        self.wrong(path, f"{said}write exactly one of {', '.join(allowed)}")
        return ""

    def text(self, data: object, path: Path) -> str:
        """Return a text that is not empty."""
        if isinstance(data, str) and data:
            return data
        self.wrong(path, f"{shown(data)}: expected a text: put it in quotes")
        return ""

    def texts(self, data: object, path: Path) -> dict[str, str]:
        """Return a mapping of texts: labels, annotations; one that is empty stands for an absent label."""
        found: dict[str, str] = {}
        for name, value in self.mapping(data, path, "a mapping of texts").items():
            if isinstance(value, str):
                found[name] = value
            else:
                self.wrong((*path, name), f"{shown(value)}: expected a text: put it in quotes")
        return found

    def number(self, data: object, path: Path) -> float:
        """Return a number; a whole one as an int."""
        if isinstance(data, (int, float)) and not isinstance(data, bool):
            return data
        self.wrong(path, f"{shown(data)}: expected a number")
        return 0

    def whole(self, data: object, path: Path, *, least: int = 0) -> int:
        """Return a whole number."""
        if isinstance(data, int) and not isinstance(data, bool) and data >= least:
            return data
        self.wrong(path, f"{shown(data)}: expected a whole number from {least}")
        return least

    def true(self, data: object, path: Path) -> None:
        """Accept only true."""
        if data is not True:
            self.wrong(path, f"{shown(data)}: expected true")

    def offset(self, data: object, path: Path, *, otherwise: float = 0.0) -> float:
        """Return a duration in seconds, or an instant after the start; `otherwise` where it cannot be read."""
        if isinstance(data, str) or data == 0:
            try:
                return parse_offset(str(data))
            except DurationError as fault:
                self.wrong(path, str(fault))
                return otherwise
        self.wrong(path, f"{shown(data)}: not a duration: write a number and a unit, such as 0.5s, 30s, 5m")
        return otherwise

    def share(self, data: object, path: Path) -> Fraction:
        """Return a share in (0, 1], exactly as it is written: 5%, 0.05."""
        text = str(data).strip()
        part = 100 if text.endswith("%") else 1
        try:
            share = Fraction(Decimal(text.removesuffix("%").strip())) / part
        except (InvalidOperation, ValueError, OverflowError):
            share = Fraction(0)
        if 0 < share <= 1 and not isinstance(data, bool):
            return share
        self.wrong(path, f"{shown(data)}: write a share over 0 and up to 1, such as 5% or 0.05")
        return Fraction(1)

    def instant(self, data: object, path: Path) -> float:
        """Return the Unix seconds of a whole second, which YAML may have read as a date already."""
        moment = data
        if isinstance(data, str):
            try:
                moment = datetime.fromisoformat(data)
            except ValueError:
                moment = None
        if isinstance(moment, datetime) and moment.tzinfo is not None and not moment.microsecond:
            return moment.timestamp()
        self.wrong(path, f"{shown(str(data))}: write a whole second with a time zone, such as 2026-01-01T00:00:00Z")
        return 0.0
