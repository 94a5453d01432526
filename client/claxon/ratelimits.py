"""ratelimits: what the `anthropic-ratelimit-*` headers of an answer say.

Source:
    The API's documentation, "Rate limits": limits are token buckets that refill
    continuously; `reset` is the instant at which one will be full again, in RFC
    3339; the token counts are rounded to the nearest thousand.
"""

from __future__ import annotations

import email.utils
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from .recording import allowed_headers

KINDS = ("requests", "tokens", "input_tokens", "output_tokens")

MINUTE_S = 60.0
"""In which an empty bucket fills, where no reset says it: the limits are per minute."""

LONGEST_REFILL_S = 3600.0


class Reading(NamedTuple):
    """What one answer said of one limit.

    Attributes:
        limit: What the full bucket holds.
        remaining: What is left in it.
        refill_s: Seconds until it is full again.
    """

    limit: float
    remaining: float
    refill_s: float

    @property
    def share(self) -> float:
        """What is left, in [0, 1]."""
        return self.remaining / self.limit

    @property
    def rate(self) -> float:
        """What flows back a second: all that is missing, in the time until nothing is.

        From limit and remaining alone where the reset says nothing: it has
        passed already, or nothing is missing.
        """
        missing = self.limit - self.remaining
        if missing <= 0 or self.refill_s <= 0:
            return self.limit / MINUTE_S
        return missing / self.refill_s


def read_limits(headers: Any, *, below: float = 2.0, now: float | None = None) -> dict[str, Reading]:
    """Return the readings of an answer by kind; empty where the API sent none, or much of all is left.

    Args:
        headers: Of the answer.
        below: The share from which on much is left; by default nothing is much.
        now: Unix seconds, against which a reset is read if the answer has no
            `date`. The server's own clock is the better one: no machine of the
            app's has to be right.
    """
    said = allowed_headers(headers)
    if len(said) < 2:
        return {}
    counts: dict[str, tuple[float, float]] = {}
    least = 2.0
    for kind in KINDS:
        limit, remaining = _number(said.get(kind + "_limit")), _number(said.get(kind + "_remaining"))
        if limit and remaining is not None:
            counts[kind] = limit, min(remaining, limit)
            least = min(least, remaining / limit)
    if least >= below or not counts:
        return {}
    at = _date(headers) or (time.time() if now is None else now)
    return {
        kind: Reading(limit, remaining, _refill_s(said.get(kind + "_reset"), at, 1 - remaining / limit))
        for kind, (limit, remaining) in counts.items()
    }


def _refill_s(reset: bytes | None, now: float, missing: float) -> float:
    """Return the seconds until a bucket is full, by its reset, else as if it filled in a minute."""
    instant = _instant(reset)
    if instant is None:
        return MINUTE_S * missing
    return min(max(0.0, instant - now), LONGEST_REFILL_S)


def _date(headers: Mapping[str, str]) -> float | None:
    said = headers.get("date")
    date = None if said is None else email.utils.parsedate_tz(said)
    return None if date is None else float(email.utils.mktime_tz(date))


def _instant(raw: bytes | None) -> float | None:
    try:
        return None if raw is None else datetime.fromisoformat(raw.decode("latin-1")).timestamp()
    except (ValueError, OverflowError, OSError):
        return None


def _number(raw: bytes | None) -> float | None:
    try:
        amount = None if raw is None else float(raw)
    except ValueError:
        return None
    return amount if amount is not None and 0 <= amount < 2**53 else None
