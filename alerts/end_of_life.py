"""When the model of one key will be gone.

≠ rules, keys. docs/reference/decisions.md, `end_of_life`, is the definition.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

import msgspec

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class Lifetime(msgspec.Struct):
    """What the newest event said.

    Attributes:
        said_at: When that event ended, Unix seconds.
        ends_at: When the model is gone.
    """

    said_at: float
    ends_at: float


def ends_at(text: str) -> float | None:
    """Return the Unix seconds at which the day of "2026-11-30" begins, UTC; None where it is no date."""
    if _DATE.match(text) is None:
        return None
    try:
        day = date.fromisoformat(text[:10])
    except ValueError:
        return None
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()


def later_word(known: Lifetime | None, at: float, ends: float) -> Lifetime:
    """Return what holds after an event said when its model ends: the newest word, of two at once the earlier date."""
    if known is None or at > known.said_at:
        return Lifetime(at, ends)
    if at == known.said_at and ends < known.ends_at:
        return Lifetime(at, ends)
    return known
