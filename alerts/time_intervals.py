"""Time intervals, in Alertmanager's semantics: when a route is muted, and when it is active.

Of the machine it reads the time zone database alone.

≠ how they are written in a file.
"""

from __future__ import annotations

import calendar
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias
from zoneinfo import ZoneInfo

from .routes import Route

Range: TypeAlias = tuple[int, int]
"""From the first to the last, both included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One entry of `time_intervals`: an instant lies in it that lies in each part; what is None, everything lies in.

    Attributes:
        times: Minutes of the day, the last one not included: (540, 1020) is 09:00 to 17:00.
        weekdays: 0 is Sunday.
        days_of_month: 1 is the first, -1 the last; cut at the length of the month.
        months: 1 is January.
        years: As they are written.
        location: The time zone; "" is UTC.
    """

    times: tuple[Range, ...] | None = None
    weekdays: tuple[Range, ...] | None = None
    days_of_month: tuple[Range, ...] | None = None
    months: tuple[Range, ...] | None = None
    years: tuple[Range, ...] | None = None
    location: str = ""

    def contains(self, now: float) -> bool:
        """Whether an instant, Unix seconds, lies in it."""
        at = datetime.fromtimestamp(now, ZoneInfo(self.location) if self.location else UTC)
        minute, weekday = at.hour * 60 + at.minute, at.isoweekday() % 7
        return (
            (self.times is None or any(start <= minute < end for start, end in self.times))
            and _in(self.days_of_month, at.day, last=calendar.monthrange(at.year, at.month)[1])
            and _in(self.months, at.month)
            and _in(self.weekdays, weekday)
            and _in(self.years, at.year)
        )


def _in(ranges: tuple[Range, ...] | None, value: int, *, last: int = 0) -> bool:
    """Whether a value lies in one of the ranges; negative ends count back from `last`."""
    if ranges is None:
        return True
    return any(_from_end(first, last) <= value <= _from_end(end, last) for first, end in ranges)


def _from_end(value: int, last: int) -> int:
    return last + value + 1 if value < 0 else value


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeInterval:
    """A named time interval.

    Attributes:
        name: As routes name it.
        spans: An instant lies in the interval that lies in one of them.
    """

    name: str
    spans: tuple[Span, ...] = ()

    def contains(self, now: float) -> bool:
        """Whether an instant, Unix seconds, lies in it."""
        return any(span.contains(now) for span in self.spans)


def muted_by(route: Route, intervals: Mapping[str, TimeInterval], now: float) -> list[str]:
    """Return the names of the intervals that keep a route quiet now; [] if it may tell.

    Its active intervals, all of them, if `now` lies in none; else the mute intervals that `now` lies in. A name that
    is not in `intervals` mutes nothing.
    """
    active = [intervals[name] for name in route.active_time_intervals if name in intervals]
    if active and not any(interval.contains(now) for interval in active):
        return list(route.active_time_intervals)
    muting = dict.fromkeys(route.mute_time_intervals)
    return [name for name in muting if name in intervals and intervals[name].contains(now)]
