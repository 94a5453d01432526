"""Times, durations and numbers as people read them; foreign text made harmless.

≠ HTML but for <time>.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from markupsafe import Markup

UNKNOWN = "–"
"""What stands where nothing is known: never a zero."""

_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))

# Controls, and the invisible characters that reorder or hide text: a model's name
# must not be able to turn the line around that it stands in. Surrogates cannot be sent.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)


def plain(text: str) -> str:
    """Return foreign text with every character that is invisible, or moves others, as a visible mark."""
    return _UNSEEN.sub("\ufffd", text)


def iso(at: float) -> str:
    """Return an instant as RFC 3339 in UTC; "" where no calendar has it."""
    moment = _moment(at)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment is not None else ""


def clock(at: float, now: float) -> str:
    """Return the time of day in UTC, with the date where it is not today's."""
    moment, today = _moment(at), _moment(now)
    if moment is None:
        return "an impossible time"
    time = moment.strftime("%H:%M:%S UTC")
    if today is not None and moment.date() == today.date():
        return time
    return f"{moment.day} {moment:%b} {moment.year}, {time}"


def when(at: float | None, now: float) -> Markup:
    """Return an instant as <time>, in UTC."""
    if at is None:
        return Markup("–")
    return Markup('<time datetime="{}">{}</time>').format(iso(at), clock(at, now))


def ago(at: float | None, now: float) -> str:
    """Return how long ago an instant is: "just now", "12 min ago", "1 h 5 min ago"."""
    if at is None or _moment(at) is None:
        return UNKNOWN
    passed = now - at
    if passed < -1:
        return f"in {span(-passed)}"
    return f"{span(passed)} ago" if passed >= 1 else "just now"


def span(seconds: float | None) -> str:
    """Return a duration in its two greatest units: "3 min 20 s", "2 d 4 h"."""
    if seconds is None or not abs(seconds) < 1e12:
        return UNKNOWN
    left = int(max(0.0, seconds))
    if left == 0:
        return "0 s" if seconds <= 0 else "under 1 s"
    parts: list[str] = []
    for unit, size in _UNITS:
        n, left = divmod(left, size)
        if n:
            parts.append(f"{n} {unit}")
        # The second unit is the next smaller one, or none: "1 d 3 s" would be odd.
        if len(parts) == 2 or (parts and not n):
            break
    return " ".join(parts)


def percent(share: float | None) -> str:
    """Return a share with three digits: 0.148 -> "14.8 %"; None is unknown, not zero."""
    return f"{share * 100:.3g} %" if share is not None else UNKNOWN


def count(n: float) -> str:
    """Return a number with separators; whole ones without a fraction."""
    return f"{int(n):,}" if n == int(n) else f"{n:,.3g}"


def _moment(at: float) -> datetime | None:
    # A sender may claim any number as a time; the calendar ends somewhere.
    try:
        return datetime.fromtimestamp(at, UTC)
    except (ValueError, OverflowError, OSError):
        return None
