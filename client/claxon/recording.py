"""recording: an Attempt becomes an Event; runs in the shipping thread.

What may leave the process is decided here, by naming it: there is no loop that
copies whatever is found.
"""

from __future__ import annotations

import re
import sys
from datetime import datetime
from functools import lru_cache
from typing import Any

from .attempt import NO_MODEL, Attempt
from .event import DEFAULT_PATH, Circuit, Event, RateLimits, StreamEnd, clean_message
from .settings import Settings

MOST_ATTEMPTS = 1_000_000

REQUEST_ID = "request_id"

ALLOWED_HEADERS: dict[bytes, str] = {
    b"request-id": REQUEST_ID,
    **{
        f"anthropic-ratelimit-{kind}-{part}".encode(): f"{kind.replace('-', '_')}_{part}"
        for kind in ("requests", "tokens", "input-tokens", "output-tokens")
        for part in ("limit", "remaining", "reset")
    },
}
"""The headers whose values may leave the process, and what each becomes."""


def allowed_headers(headers: Any) -> dict[str, bytes]:
    """Return the values of the headers that may leave the process; for the app's thread, so quick."""
    allowed = ALLOWED_HEADERS
    listed = getattr(headers, "_list", None)  # private: spares a copy of all headers
    if listed is not None:
        return {allowed[name]: value for _, name, value in listed if name in allowed}
    return {allowed[name.lower()]: value for name, value in headers.raw if name.lower() in allowed}


def to_event(attempt: Attempt, settings: Settings) -> Event:
    """Return the event of an attempt, each text cut to what an event may hold."""
    call, tags, usage = attempt.call, attempt.call.tags, attempt.usage
    request_id, ratelimit = _read_headers(attempt.headers)
    trace_id, span_id = _ids(attempt.span)
    retries = call.max_retries if call.policy_retries is None else call.policy_retries
    return Event(
        time=round(attempt.time, 6),
        app=tags.app or settings.app,
        environment=tags.environment if tags.environment is not None else settings.environment,
        path=(tags.path or call.route or attempt.path or DEFAULT_PATH)[:200],
        model=attempt.model[:128] or NO_MODEL,
        attempt=min(attempt.number, MOST_ATTEMPTS),
        max_attempts=None if retries is None else max(1, min(retries + 1, MOST_ATTEMPTS), attempt.number),
        final=attempt.final,
        exhausted=attempt.exhausted,
        error_type=_text(attempt.error_type),
        error_code=_text(attempt.error_code),
        error_message=clean_message(attempt.error_message) if attempt.error_message else None,
        status=attempt.status if attempt.status is not None and 100 <= attempt.status <= 599 else None,
        tokens=attempt.tokens,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cache_read_input_tokens,
        cache_write_tokens=usage.cache_creation_input_tokens,
        duration_ms=_milliseconds(attempt.ended - attempt.started),
        time_to_first_token_ms=None
        if attempt.first_token is None
        else _milliseconds(attempt.first_token - attempt.started),
        retry_after_s=attempt.retry_after_s,
        call_id=call.id[:128],
        request_id=request_id,
        trace_id=trace_id,
        span_id=span_id,
        ratelimit=ratelimit,
        stream_end=None if attempt.stream_end is None else StreamEnd(attempt.stream_end),
        fallback_from=_text(attempt.fallback_from),
        cached=attempt.cached,
        circuit=None if attempt.circuit is None else Circuit(attempt.circuit),
        stopped_by=_text(attempt.stopped_by),
        throttled_ms=None if attempt.throttled_ms is None else round(attempt.throttled_ms, 3),
        stop_reason=_text(attempt.stop_reason),
        model_end_of_life=end_of_life(attempt.model),
        attributes=tags.attributes,
    )


def _milliseconds(seconds: float) -> float:
    return round(max(0.0, seconds) * 1000, 3)


def _text(value: str | None) -> str | None:
    return None if value is None else value[:128]


def _read_headers(headers: dict[str, bytes] | None) -> tuple[str | None, RateLimits | None]:
    """Return (request id, rate limits)."""
    request_id: str | None = None
    limits: RateLimits | None = None
    for field, raw in (headers or {}).items():
        text = raw.decode("latin-1")
        if field == REQUEST_ID:
            request_id = text[:128]
        elif (value := _limit(field, text)) is not None:
            limits = limits or RateLimits()
            setattr(limits, field, value)
    return request_id, limits


def _limit(field: str, text: str) -> float | datetime | None:
    """Return a limit's number or its reset's instant; None when it is neither."""
    try:
        if not field.endswith("_reset"):
            amount = int(text) if text.isdecimal() else float(text)
            return amount if 0 <= amount < 2**53 else None
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo is not None else None


def _ids(span: Any) -> tuple[str | None, str | None]:
    """Return (trace id, span id) of an OpenTelemetry span."""
    span_context = None if span is None else span.get_span_context()
    if span_context is None or not span_context.is_valid:
        return None, None
    return f"{span_context.trace_id:032x}", f"{span_context.span_id:016x}"


def end_of_life(model: str) -> str | None:
    """Return the ISO date after which the SDK says the model is gone; None if it says nothing."""
    # Private: the table behind the SDK's DeprecationWarning.
    messages = sys.modules.get("anthropic.resources.messages.messages")
    text = getattr(messages, "DEPRECATED_MODELS", {}).get(model)
    return iso_date(text) if isinstance(text, str) else None


_DATE = re.compile(r"([A-Za-z]+) (\d{1,2})(?:st|nd|rd|th)?,? (\d{4})")
_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)


@lru_cache(maxsize=64)
def iso_date(text: str) -> str | None:
    """Return "November 30th, 2026" as "2026-11-30"; None when it is no such date."""
    # Not strptime: its month names follow the process's locale.
    match = _DATE.fullmatch(text.strip())
    if match is None or match[1].lower() not in _MONTHS:
        return None
    return f"{match[3]}-{_MONTHS.index(match[1].lower()) + 1:02}-{int(match[2]):02}"
