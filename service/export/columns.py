"""Columns: what a table of events has, in the order of docs/reference/events.md, and how each is read.

≠ how a table is stored.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from operator import attrgetter

from claxon.event import Event


class Kind(StrEnum):
    """What the values of a column are; any may be absent."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    TRUTH = "truth"
    INSTANT = "instant"
    TEXTS = "texts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column.

    Attributes:
        name: Its name.
        kind: What its values are: an instant is in microseconds since 1970, UTC.
        read: Returns an event's value.
    """

    name: str
    kind: Kind
    read: Callable[[Event], object]


def _field(name: str, kind: Kind) -> Column:
    return Column(name=name, kind=kind, read=attrgetter(name))


def _micros(at: float) -> int:
    return round(at * 1e6)


def _time(event: Event) -> int:
    return _micros(event.at)


def _tokens(event: Event) -> int | None:
    return event.tokens if event.tokens is not None else event.max_tokens


def _limit(name: str) -> Column:
    read = attrgetter(name)
    if not name.endswith("_reset"):
        return Column(
            name=f"ratelimit_{name}", kind=Kind.NUMBER, read=lambda event: event.ratelimit and read(event.ratelimit)
        )

    def reset(event: Event) -> int | None:
        value = read(event.ratelimit) if event.ratelimit is not None else None
        if value is None:
            return None
        return _micros(value.timestamp() if isinstance(value, datetime) else value)

    return Column(name=f"ratelimit_{name}", kind=Kind.INSTANT, read=reset)


def _attributes(event: Event) -> list[tuple[str, str]] | None:
    return list(event.attributes.items()) if event.attributes is not None else None


_BUCKETS = ("requests", "tokens", "input_tokens", "output_tokens")

COLUMNS: tuple[Column, ...] = (
    Column(name="time", kind=Kind.INSTANT, read=_time),
    *(_field(name, Kind.TEXT) for name in ("app", "environment", "path", "model")),
    *(_field(name, Kind.INTEGER) for name in ("attempt", "max_attempts")),
    *(_field(name, Kind.TRUTH) for name in ("final", "exhausted", "provisional")),
    *(_field(name, Kind.TEXT) for name in ("category", "error_type")),
    _field("status", Kind.INTEGER),
    *(_field(name, Kind.TEXT) for name in ("error_code", "error_message")),
    Column(name="tokens", kind=Kind.INTEGER, read=_tokens),
    *(
        _field(name, Kind.INTEGER)
        for name in ("max_tokens", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")
    ),
    *(_field(name, Kind.NUMBER) for name in ("duration_ms", "time_to_first_token_ms", "retry_after_s")),
    *(_field(name, Kind.TEXT) for name in ("call_id", "request_id", "trace_id", "span_id", "event_id")),
    *(_limit(f"{bucket}_{what}") for bucket in _BUCKETS for what in ("limit", "remaining", "reset")),
    *(_field(name, Kind.TEXT) for name in ("stream_end", "fallback_from")),
    _field("cached", Kind.TRUTH),
    *(_field(name, Kind.TEXT) for name in ("circuit", "stopped_by")),
    _field("throttled_ms", Kind.NUMBER),
    *(_field(name, Kind.TEXT) for name in ("stop_reason", "model_end_of_life")),
    Column(name="attributes", kind=Kind.TEXTS, read=_attributes),
)
"""All of them; beside these a table has `received_at`, which is the batch's."""
