"""Durations in Prometheus's grammar: "1h30m" <-> 5400 seconds."""

from __future__ import annotations

import re

from .errors import DurationError

_UNITS = {"y": 31_536_000, "w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
# ASCII digits, and not so many that a number of them is a riddle.
_PARTS = re.compile("".join(f"(?:([0-9]{{1,9}}){unit})?" for unit in (*_UNITS, "ms")))


def parse_duration(text: str) -> int:
    """Return the seconds of a duration such as "5m" or "1h30m".

    Raises:
        DurationError: It is not one, in whole seconds; units run from y to s, each at most once.
    """
    milliseconds = parse_milliseconds(text)
    if milliseconds % 1000:
        raise DurationError(f"{text!r}: not in whole seconds: write 30s or 5m")
    return milliseconds // 1000


def parse_milliseconds(text: str) -> int:
    """Return the milliseconds of a duration such as "2s" or "1s500ms".

    Raises:
        DurationError: It is not one; units run from y to ms, each at most once.
    """
    match = _PARTS.fullmatch(text) if text else None
    if text == "0":
        return 0
    if match is None:
        raise DurationError(f"{text!r}: not a duration: write a number and a unit, such as 30s, 5m, 1h30m, 30d")
    *parts, rest = match.groups()
    seconds = sum(int(n) * size for n, size in zip(parts, _UNITS.values(), strict=True) if n)
    return seconds * 1000 + int(rest or 0)


def exact_duration(seconds: float) -> str:
    """Return a duration that reads back as the same number of milliseconds: 1.5 -> "1s500ms"."""
    whole, rest = divmod(round(seconds * 1000), 1000)
    if not rest:
        return format_duration(whole)
    return f"{format_duration(whole) if whole else ''}{rest}ms"


def format_duration(seconds: float) -> str:
    """Return seconds as people and Prometheus write them, rounded to whole ones: 5400 -> "1h30m"."""
    left = round(seconds)
    if left <= 0:
        return "0s"
    parts: list[str] = []
    for unit, size in _UNITS.items():
        if unit in ("y", "w"):
            continue
        n, left = divmod(left, size)
        if n:
            parts.append(f"{n}{unit}")
    return "".join(parts)
