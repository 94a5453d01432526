"""Reads the time intervals of a configuration.

≠ when something lies in one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from zoneinfo import ZoneInfo

from .config_reading import Entry, Reading
from .problems import Path, nearest, shown
from .time_intervals import Range, Span, TimeInterval

WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
SPAN_SETTINGS = ("times", "weekdays", "days_of_month", "months", "years", "location")

_TIME = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]|24:00")
_NUMBER = re.compile(r"[+-]?[0-9]{1,6}")


class _Wrong(Exception):
    """A range that is none; the text says why."""


def read_time_intervals(reading: Reading, top: Entry) -> dict[str, TimeInterval]:
    """Return the intervals below `time_intervals` and the old `mute_time_intervals`, by name."""
    found: dict[str, TimeInterval] = {}
    for setting in ("mute_time_intervals", "time_intervals"):
        for path, entry in reading.entries(top.get(setting), (setting,)):
            reading.known(entry, path, ("name", "time_intervals"))
            name = reading.text(entry, "name", path)
            if name in found:
                reading.wrong((*path, "name"), f"{name!r}: used twice: give each time interval a name of its own")
            spans = reading.entries(entry.get("time_intervals"), (*path, "time_intervals"))
            found[name] = TimeInterval(name=name, spans=tuple(_span(reading, span, place) for place, span in spans))
    return found


def _span(reading: Reading, entry: Entry, path: Path) -> Span:
    reading.known(entry, path, SPAN_SETTINGS)
    return Span(
        times=_times(reading, entry.get("times"), (*path, "times")),
        weekdays=_ranges(reading, entry, "weekdays", (path, _weekdays)),
        days_of_month=_ranges(reading, entry, "days_of_month", (path, _days_of_month)),
        months=_ranges(reading, entry, "months", (path, _months)),
        years=_ranges(reading, entry, "years", (path, _years)),
        location=_location(reading, entry, path),
    )


def _times(reading: Reading, data: object, path: Path) -> tuple[Range, ...] | None:
    if data is None:
        return None
    found: list[Range] = []
    for place, entry in reading.entries(data, path):
        reading.known(entry, place, ("start_time", "end_time"))
        start, end = (_minute(reading, entry, name, place) for name in ("start_time", "end_time"))
        if start is None or end is None:
            continue
        if start >= end:
            reading.wrong(place, "start_time must be before end_time: write two entries to go past midnight")
        found.append((start, end))
    return tuple(found)


def _minute(reading: Reading, entry: Entry, name: str, path: Path) -> int | None:
    value = entry.get(name)
    if value is None:
        reading.wrong(path, f"{name}: missing: write {name}: 'HH:MM'")
        return None
    # YAML reads a bare 17:00 as the number 17 * 60; smaller ones were 9:00, without the zero.
    if isinstance(value, int) and 600 <= value <= 1440:
        return value
    if not isinstance(value, str) or _TIME.fullmatch(value) is None:
        reading.wrong((*path, name), f"{shown(value)}: not a time: write 'HH:MM', from '00:00' to '24:00'")
        return None
    hours, minutes = value.split(":")
    return int(hours) * 60 + int(minutes)


def _ranges(
    reading: Reading, entry: Entry, name: str, how: tuple[Path, Callable[[str], Range]]
) -> tuple[Range, ...] | None:
    data, path = entry.get(name), (*how[0], name)
    if data is None:
        return None
    if not isinstance(data, list):
        reading.wrong(path, f"{shown(data)}: expected a list")
        return None
    found: list[Range] = []
    for i, value in enumerate(data):
        try:
            found.append(how[1](_range_text(value, bare_years=name == "years")))
        except _Wrong as fault:
            reading.wrong((*path, i), f"{shown(value)}: {fault}")
    return tuple(found)


def _range_text(value: object, *, bare_years: bool) -> str:
    """Return a range as it was written: YAML reads a bare 1:15 as the number 75."""
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value // 60}:{value % 60}" if value >= 60 and not bare_years else str(value)
    if not isinstance(value, str):
        raise _Wrong("expected a text, in quotes")
    return value.lower()


def _parts(text: str, member: Callable[[str], int]) -> Range:
    first, colon, last = text.partition(":")
    return member(first), member(last if colon else first)


def _weekdays(text: str) -> Range:
    first, last = _parts(text, _weekday)
    if first > last:
        raise _Wrong("ends before it begins: the week begins on sunday")
    return first, last


def _weekday(text: str) -> int:
    if text not in WEEKDAYS:
        raise _Wrong(f"not a weekday: {nearest(text, WEEKDAYS)}")
    return WEEKDAYS.index(text)


def _months(text: str) -> Range:
    first, last = _parts(text, _month)
    if first > last:
        raise _Wrong("ends before it begins: write two ranges to go past december")
    return first, last


def _month(text: str) -> int:
    number = MONTHS.index(text) + 1 if text in MONTHS else _number(text)
    if not 1 <= number <= 12:
        raise _Wrong("not a month: write its name, or 1 to 12")
    return number


def _days_of_month(text: str) -> Range:
    first, last = _parts(text, _number)
    for day in (first, last):
        if day == 0 or not -31 <= day <= 31:
            raise _Wrong("not a day of the month: 1 to 31, or -1 for the last to -31")
    if first < 0 < last:
        raise _Wrong("a range that begins with a negative day must end with one")
    # Known for certain only for the shortest month.
    if (first if first > 0 else 28 + first) > (last if last > 0 else 28 + last):
        raise _Wrong("ends before it begins")
    return first, last


def _years(text: str) -> Range:
    first, last = _parts(text, _number)
    if not 0 <= first <= last:
        raise _Wrong("ends before it begins, or is no year")
    return first, last


def _number(text: str) -> int:
    if _NUMBER.fullmatch(text) is None:
        raise _Wrong("not a number, nor two with a colon between")
    return int(text)


def _location(reading: Reading, entry: Entry, path: Path) -> str:
    value = entry.get("location")
    if value is None or value == "":
        return ""
    try:
        if value == "Local" or not isinstance(value, str):
            raise ValueError(value)
        ZoneInfo(value)
    except (ValueError, LookupError, OSError):
        reading.wrong((*path, "location"), f"{shown(value)}: not a time zone: write a name such as Europe/Berlin")
        return ""
    return value
