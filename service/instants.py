"""Instants as people write them in a question: "1h" (ago), RFC 3339, Unix seconds.

≠ durations in rules.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime

from alerts.durations import parse_duration
from alerts.errors import DurationError


class InstantError(ValueError):
    """A text that says no instant; the text of the error is *value: remedy*."""


def parse_instant(text: str, *, now: float) -> float | None:
    """Return Unix seconds; None for "".

    Args:
        text: How long ago, an RFC 3339 time with a time zone, or Unix seconds.
        now: What "ago" counts from.

    Raises:
        InstantError: It is none of these.
    """
    text = text.strip()
    if not text:
        return None
    for read in (float, lambda said: now - parse_duration(said), _rfc3339):
        try:
            found = read(text)
        except (ValueError, DurationError, OverflowError):
            continue
        if math.isfinite(found):
            return found
    raise InstantError(f"{text[:40]!r}: write how long ago, such as 1h, or a time such as 2026-11-25T03:12:00Z")


def rfc3339(at: float) -> str:
    """Return an instant as RFC 3339, in UTC and whole seconds."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _rfc3339(text: str) -> float:
    # A space stands where somebody did not escape the plus sign of a time zone in a query.
    moment = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
    if moment.tzinfo is None:
        raise ValueError("no time zone")
    return moment.timestamp()
