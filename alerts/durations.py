"""Durations in Prometheus's grammar: "1h30m" <-> 5400 seconds."""

from __future__ import annotations

import re

from .errors import DurationError

_UNITS = {"y": 31_536_000, "w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_PARTS = re.compile(r"(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


def parse_duration(text: str) -> int:
    """Return the seconds of a duration such as "5m" or "1h30m".

    Raises:
        DurationError: It is not one; units run from y to s, each at most once.
    """
    match = _PARTS.fullmatch(text) if text else None
    if text == "0":
        return 0
    if match is None:
        raise DurationError(f"{text!r}: not a duration: write a number and a unit, such as 30s, 5m, 1h30m, 30d")
    return sum(int(n) * seconds for n, seconds in zip(match.groups(), _UNITS.values(), strict=True) if n)


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
