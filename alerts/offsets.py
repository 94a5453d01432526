"""Offsets: instants after a start, with fractions of a second: "1m2.5s" <-> 62.5.

A fraction may also stand as milliseconds, as in rule files: "1m2s500ms".
"""

from __future__ import annotations

import re

from .durations import format_duration, parse_milliseconds
from .errors import DurationError

_FRACTION = re.compile(r"(.*?)(\d+)\.(\d{1,6})s")


def parse_offset(text: str) -> float:
    """Return the seconds of a duration whose seconds may have a fraction: "90s", "1h30m", "0.5s".

    Raises:
        DurationError: It is not one.
    """
    parts = _FRACTION.fullmatch(text)
    try:
        if parts is None:
            return parse_milliseconds(text) / 1000
        return parse_milliseconds(f"{parts[1]}{parts[2]}s") / 1000 + float(f"0.{parts[3]}")
    except DurationError as fault:
        raise DurationError(
            f"{text!r}: not a duration: write numbers and units, such as 0.5s, 30s, 5m, 1h30m"
        ) from fault


def format_offset(seconds: float) -> str:
    """Return seconds as they are written in a scenario, to the millisecond: 62.5 -> "1m2.5s"."""
    whole, left = divmod(round(seconds * 1000), 1000)
    if not left:
        return format_duration(whole)
    second = whole % 60
    before = format_duration(whole - second) if whole >= 60 else ""
    return f"{before}{second}.{left:03}".rstrip("0") + "s"
