"""What a field of a rule file may hold: read from YAML's scalars, written back, described for editors.

≠ which fields there are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from math import isfinite
from typing import TypeAlias

from .durations import exact_duration, format_duration, parse_duration, parse_milliseconds
from .errors import ConfigError
from .problems import shown

MAX_DURATION_S = 3650 * 86_400
MAX_COUNT = 1_000_000_000

Schema: TypeAlias = dict[str, object]
"""A JSON Schema."""


class ValueRefused(ConfigError):
    """A value that a field cannot take; the text is *value: remedy*."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueKind:
    """One kind of value.

    Attributes:
        read: From what YAML holds; raises `ValueRefused` or another `ConfigError`.
        write: Back; reading it gives the same value.
        schema: For editors.
    """

    read: Callable[[object], object]
    write: Callable[[object], object]
    schema: Mapping[str, object]


# ── durations ─────────────────────────────────────────────────────────────────


def read_duration(value: object) -> int:
    """Return the seconds of a duration."""
    seconds = parse_duration(_duration_text(value))
    _refuse_long(value, seconds)
    return seconds


def read_fine_duration(value: object) -> float:
    """Return the seconds of a duration that may have milliseconds."""
    seconds = parse_milliseconds(_duration_text(value)) / 1000
    _refuse_long(value, seconds)
    return seconds


def _duration_text(value: object) -> str:
    if isinstance(value, str):
        return value
    # 0 is 0 in every unit.
    if value == 0 and not isinstance(value, bool):
        return "0"
    raise ValueRefused(f"{shown(value)}: not a duration: write a number and a unit, such as 30s, 5m, 1h30m, 30d")


def _refuse_long(value: object, seconds: float) -> None:
    if seconds > MAX_DURATION_S:
        raise ValueRefused(f"{shown(value)}: too long: at most {format_duration(MAX_DURATION_S)}")


# ── numbers ───────────────────────────────────────────────────────────────────

_PERCENT = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,30})?) ?%")
_SHARE_REMEDY = "write a share such as 5% or 0.05"


def read_share(value: object) -> float:
    """Return a share: "5%" -> 0.05, exactly as 0.05 is written; 0.05 stays."""
    if isinstance(value, str):
        match = _PERCENT.fullmatch(value)
        if match is None:
            raise ValueRefused(f"{shown(value)}: not a share: {_SHARE_REMEDY}")
        return float(Decimal(match[1]) / 100)
    return _number(value, _SHARE_REMEDY)


def write_share(value: object) -> object:
    """Return a share as percent; a very small one as a number."""
    share = _number(value, _SHARE_REMEDY)
    # Python writes every float below 10^16 with a point or a negative exponent, so there is a point here.
    percent = format(Decimal(repr(share)) * 100, "f").rstrip("0").rstrip(".")
    return f"{percent}%" if _PERCENT.fullmatch(f"{percent}%") else share


def read_number(value: object) -> float:
    """Return a finite number."""
    return _number(value, "write a number, such as 14.4")


def _number(value: object, remedy: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueRefused(f"{shown(value)}: not a number: {remedy}")
    # An integer may be too large to be compared as a float.
    if abs(value) > MAX_COUNT or not isfinite(value):
        raise ValueRefused(f"{shown(value)}: too large: {remedy}")
    return float(value)


def read_count(value: object) -> int:
    """Return a whole number from 0."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueRefused(f"{shown(value)}: not a count: write a whole number, such as 3")
    if not 0 <= value <= MAX_COUNT:
        raise ValueRefused(f"{shown(value)}: from 0 to {MAX_COUNT}")
    return value


def read_flag(value: object) -> bool:
    """Return true or false."""
    if isinstance(value, bool):
        return value
    raise ValueRefused(f"{shown(value)}: true or false")


# ── texts ─────────────────────────────────────────────────────────────────────


# Controls, what turns a line around, and half characters that cannot be sent.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def read_text(value: object, *, most: int, lines: bool = False) -> str:
    """Return a text that is not empty and that every receiver can be sent.

    Args:
        value: What YAML holds.
        most: Characters.
        lines: Whether it may have line breaks and tabs.
    """
    if not isinstance(value, str):
        remedy = "write it in quotes" if value is not None else "write a text, or leave it out"
        raise ValueRefused(f"{shown(value)}: not a text: {remedy}")
    if not value.strip():
        raise ValueRefused(f"{shown(value)}: empty: write a text, or leave it out")
    if len(value) > most:
        raise ValueRefused(f"{shown(value)}: {len(value)} characters: at most {most}")
    if _UNSEEN.search(value) or (not lines and ("\n" in value or "\t" in value)):
        raise ValueRefused(f"{shown(value)}: has characters that cannot be seen: leave them out")
    return value


# ── kinds ─────────────────────────────────────────────────────────────────────


def _same(value: object) -> object:
    return value


def _write_duration(value: object) -> object:
    return exact_duration(_number(value, ""))


def _write_number(value: object) -> object:
    number = _number(value, "")
    return int(number) if number.is_integer() else number


_DURATION_UNITS = r"([0-9]+y)?([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?"


def _duration_schema(pattern: str, **more: object) -> Schema:
    return {"anyOf": [{"type": "string", "pattern": f"^(?=.){pattern}$"}, {"const": 0}, {"const": "0"}], **more}


DURATION = ValueKind(
    read=read_duration,
    write=_write_duration,
    schema=_duration_schema(_DURATION_UNITS, examples=["5m", "1h30m"]),
)
FINE_DURATION = ValueKind(
    read=read_fine_duration,
    write=_write_duration,
    schema=_duration_schema(f"{_DURATION_UNITS}([0-9]+ms)?", examples=["2s", "500ms"]),
)
SHARE = ValueKind(
    read=read_share,
    write=write_share,
    schema={
        "anyOf": [
            {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)? ?%$"},
            {"type": "number", "minimum": 0, "maximum": 1},
        ],
        "examples": ["5%", 0.05],
    },
)
COUNT = ValueKind(read=read_count, write=_same, schema={"type": "integer", "minimum": 0, "maximum": MAX_COUNT})
NUMBER = ValueKind(read=read_number, write=_write_number, schema={"type": "number", "exclusiveMinimum": 0})
FLAG = ValueKind(read=read_flag, write=_same, schema={"type": "boolean"})


def choice(values: type[StrEnum]) -> ValueKind:
    """Return the kind of value that is one of a closed set."""
    names = [value.value for value in values]

    def read(value: object) -> object:
        if isinstance(value, str) and value in names:
            return values(value)
        raise ValueRefused(f"{shown(value)}: one of {', '.join(names)}")

    return ValueKind(read=read, write=str, schema={"enum": names})
