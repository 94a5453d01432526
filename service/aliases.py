"""Aliases: the names that hand-written log lines and log shippers use for the fields of an event.

An alias counts only where the field itself is absent, and only where it can mean one thing: a number without a
unit in its name is no duration. `python -m docs.events_reference` writes the table of docs/reference/events.md.

≠ which values a field takes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from claxon.event import EventError
from claxon.taxonomy import Category, classify

_MISSING = object()
_MAX_DEPTH = 4


class _Unclear(Exception):
    """A value that may mean more than one thing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alias:
    """Names that stand for a field.

    Attributes:
        field: Of the event.
        names: In the order in which they are looked for; a dot is also a step into an object.
        read: What the value becomes.
        note: How, for the table.
    """

    field: str
    names: tuple[str, ...]
    read: Callable[[Any], Any] = lambda value: value
    note: str = ""


def _instant(value: Any) -> Any:
    """Return an instant as `time` takes it; a number's size says its unit, for none of them meet."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return _spaced(value)
    for low, unit in ((1e9, 1.0), (1e12, 1e3), (1e15, 1e6), (1e18, 1e9)):
        if low <= value < low * 10:
            return round(value / unit, 6)
    raise _Unclear


_SPACED = re.compile(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?\s?(Z|UTC|[+-]\d\d:?\d\d)$")


def _spaced(value: Any) -> Any:
    """Return a time that is written with a space, or a comma before its fraction, as RFC 3339; others as they are."""
    found = _SPACED.match(value) if isinstance(value, str) and len(value) < 50 else None
    if found is None:
        return value
    day, clock, fraction, zone = found.groups()
    zone = "Z" if zone in ("Z", "UTC") else zone if ":" in zone else f"{zone[:3]}:{zone[3:]}"
    return f"{day}T{clock}{'.' + fraction[:6] if fraction else ''}{zone}"


def _times(factor: float) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        number = _number(value)
        return number * factor if isinstance(number, (int, float)) and not isinstance(number, bool) else number

    return read


_WITH_UNIT = re.compile(r"(\d+(?:\.\d+)?)\s?(ms|s|us|µs|m)$")
_UNITS_MS = {"ms": 1.0, "s": 1000.0, "us": 0.001, "µs": 0.001, "m": 60_000.0}


def _with_unit(value: Any) -> float:
    """Return milliseconds of a text such as "1.2s"; a bare number may be either."""
    found = _WITH_UNIT.match(value) if isinstance(value, str) and len(value) < 30 else None
    if found is None:
        raise _Unclear
    return float(found[1]) * _UNITS_MS[found[2]]


_INTEGER = re.compile(r"\d{1,15}$")
_DECIMAL = re.compile(r"\d{1,15}\.\d{1,15}$")


def _number(value: Any) -> Any:
    """Return a number that was written as text as a number."""
    if not isinstance(value, str):
        return value
    if _INTEGER.match(value):
        return int(value)
    return float(value) if _DECIMAL.match(value) else value


def _one_more(value: Any) -> Any:
    number = _number(value)
    return number + 1 if isinstance(number, int) and not isinstance(number, bool) else number


_UP_TO_MESSAGE = re.compile(r"[:(]")
_CLASS = re.compile(r"(?:[A-Za-z_]\w*\.)*([A-Za-z_]\w*)$")


def _class_name(value: Any) -> Any:
    """Return the name of an exception's class: of a class, a traceback's text, or structlog's list of them."""
    if isinstance(value, list) and value:
        value = value[0]
    if isinstance(value, dict):
        value = value.get("exc_type") or value.get("type")
    if not isinstance(value, str):
        raise _Unclear
    # Below the last frame of a traceback, the first line that is not indented is the exception's.
    tail = value[value.rfind("\n  File ") + 1 :][:20_000]
    line = next((line for line in tail.splitlines() if line[:1].strip() and not line.startswith("Traceback")), "")
    found = _CLASS.match(_UP_TO_MESSAGE.split(line, 1)[0].strip())
    if found is None:
        raise _Unclear
    return found[1]


def _known_error(value: Any) -> Any:
    """Return what `error` says if it is a type of error that is known; else it is a message."""
    if not isinstance(value, str) or len(value) > 100:
        raise _Unclear
    name = _class_name(value)
    if classify(None, name, None) is Category.UNKNOWN:
        raise _Unclear
    return name


def _text(value: Any) -> Any:
    if not isinstance(value, str) or not value:
        raise _Unclear
    return value


ALIASES: tuple[Alias, ...] = (
    Alias(
        field="time",
        names=("timestamp", "@timestamp", "ts", "datetime", "date", "time_unix_nano", "timeUnixNano"),
        read=_instant,
        note="RFC 3339, or Unix time in s, ms, us or ns: its size says which",
    ),
    Alias(
        field="app",
        names=("service.name", "service_name", "service", "app_name", "application"),
        read=_text,
        note="a text",
    ),
    Alias(
        field="environment",
        names=("env", "deployment.environment.name", "deployment.environment", "service.environment"),
        read=_text,
        note="a text",
    ),
    Alias(field="path", names=("http.route", "route", "endpoint"), read=_text, note="a text"),
    Alias(field="model", names=("model_name", "model_id", "gen_ai.request.model", "request.model"), read=_text),
    Alias(field="attempt", names=("attempt_number",), read=_number),
    Alias(field="attempt", names=("retry_count",), read=_one_more, note="+ 1: the first attempt is no retry"),
    Alias(field="max_attempts", names=("max_retries",), read=_one_more, note="+ 1"),
    Alias(
        field="error_type",
        names=("error.type", "exception.type", "exception_type", "exc_type", "error_class", "exception", "exc_info"),
        read=_class_name,
        note="an exception's class, or its traceback, of which the class is kept",
    ),
    Alias(field="error_type", names=("error",), read=_known_error, note="if it names a known error"),
    Alias(
        field="error_message",
        names=("error.message", "exception.message", "exc_value", "error_msg", "exc_message", "error"),
        read=_text,
        note="a text",
    ),
    Alias(
        field="status",
        names=("status_code", "http_status", "http.response.status_code", "http.status_code", "response.status_code"),
        read=_number,
        note='"429" too',
    ),
    Alias(field="tokens", names=("total_tokens", "usage.total_tokens", "token_count"), read=_number),
    Alias(
        field="input_tokens",
        names=("usage.input_tokens", "prompt_tokens", "usage.prompt_tokens", "gen_ai.usage.input_tokens"),
        read=_number,
    ),
    Alias(
        field="output_tokens",
        names=("usage.output_tokens", "completion_tokens", "usage.completion_tokens", "gen_ai.usage.output_tokens"),
        read=_number,
    ),
    Alias(
        field="cache_read_tokens",
        names=("usage.cache_read_input_tokens", "cache_read_input_tokens"),
        read=_number,
    ),
    Alias(
        field="cache_write_tokens",
        names=("usage.cache_creation_input_tokens", "cache_creation_input_tokens"),
        read=_number,
    ),
    Alias(field="duration_ms", names=("latency_ms", "elapsed_ms", "response_time_ms", "took_ms"), read=_number),
    Alias(
        field="duration_ms",
        names=("duration_s", "latency_s", "elapsed_s", "duration_seconds", "latency_seconds", "elapsed_seconds"),
        read=_times(1000.0),
        note="x 1000",
    ),
    Alias(
        field="duration_ms",
        names=("duration", "latency", "elapsed"),
        read=_with_unit,
        note='only with a unit, as in "1.2s" or "340ms"',
    ),
    Alias(field="time_to_first_token_ms", names=("ttft_ms",), read=_number),
    Alias(field="time_to_first_token_ms", names=("ttft_s", "ttft_seconds"), read=_times(1000.0), note="x 1000"),
    Alias(field="retry_after_s", names=("retry_after", "retry-after", "retry_after_seconds"), read=_number),
    Alias(field="retry_after_s", names=("retry_after_ms", "retry-after-ms"), read=_times(0.001), note="/ 1000"),
    Alias(field="request_id", names=("request-id", "requestId", "_request_id", "anthropic-request-id"), read=_text),
    Alias(field="trace_id", names=("traceId", "trace.id", "otelTraceID"), read=_text),
    Alias(field="span_id", names=("spanId", "span.id", "otelSpanID"), read=_text),
    Alias(field="stop_reason", names=("stopReason",), read=_text),
)

FAILED_LEVELS = frozenset({"error", "critical", "fatal", "exception", "alert", "emergency"})
"""Levels of a line about a call that failed, whatever else it says."""

_LEVELS = ("level", "severity", "log.level", "levelname", "log_level")
_EVIDENCE = ("error_type", "error_code", "status", "stream_end")

_FIRST = frozenset(
    part for alias in ALIASES for name in alias.names for part in (name, name.partition(".")[0])
) | frozenset(part for name in _LEVELS for part in (name, name.partition(".")[0]))


def read_aliases(known: dict[str, Any], found: dict[str, Any]) -> set[str]:
    """Add to the known fields what other names say; return the names that were read.

    Args:
        known: The fields of an event that are there; is added to.
        found: All that the sender sent.

    Raises:
        EventError: An instant that may mean more than one.
    """
    if _FIRST.isdisjoint(found):
        return set()
    told = "error_message" in known
    used: set[str] = set()
    for alias in ALIASES:
        if alias.field in known:
            # What says the same again is no unknown field.
            used.update(name for name in alias.names if name in found)
            continue
        for name in alias.names:
            value = _look_up(found, name)
            if value is _MISSING or value is None:
                continue
            try:
                known[alias.field] = alias.read(value)
            except _Unclear:
                if alias.field == "time":
                    raise EventError(name, value, "an RFC 3339 string with a time zone, or Unix time") from None
                continue
            used.add(name if name in found else name.partition(".")[0])
            break
    failed = _failed_level(found, used) or found.get("error") is True or (not told and "error_message" in known)
    if failed and not any(field in known for field in _EVIDENCE):
        # It does not say what failed, but a success it is not.
        known["error_type"] = Category.UNKNOWN.value
    return used


def _failed_level(found: dict[str, Any], used: set[str]) -> bool:
    for name in _LEVELS:
        level = _look_up(found, name)
        if level is not _MISSING:
            used.add(name if name in found else name.partition(".")[0])
            return isinstance(level, str) and level.lower() in FAILED_LEVELS
    return False


def _look_up(found: dict[str, Any], name: str) -> Any:
    """Return the value under a name, as one key or as steps into objects; `_MISSING` where there is none."""
    if name in found:
        return found[name]
    value: Any = found
    for step in name.split(".", _MAX_DEPTH):
        if not isinstance(value, dict) or step not in value:
            return _MISSING
        value = value[step]
    return value


def rows() -> Iterator[str]:
    """Yield the rows of the table in docs/reference/events.md."""
    yield "| field | read from, in this order | as |"
    yield "|---|---|---|"
    for alias in ALIASES:
        names = ", ".join(f"`{name}`" for name in alias.names)
        yield f"| `{alias.field}` | {names} | {alias.note} |"
    levels = ", ".join(f"`{level}`" for level in sorted(FAILED_LEVELS))
    names = ", ".join(f"`{name}`" for name in _LEVELS)
    yield f"| `error_type` | {names} | `unknown`, for {levels}, where nothing else says what failed |"
