"""Event: the record of one attempt, as it travels and as the rules read it.

The wire form is JSON, one object per attempt (docs/reference/events.md). There
is no field for a prompt or a completion, so neither can be sent.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta

from .taxonomy import KINDS, Category, classify, typical_status

MAX_MESSAGE = 500
"""Characters of an error message that are kept."""

MAX_AHEAD_S = 300.0
"""How far ahead of the receiver's clock an event may be, in seconds."""

DEFAULT_APP = "default"
DEFAULT_PATH = "/v1/messages"

App = Annotated[str, Meta(min_length=1, max_length=64)]
Environment = Annotated[str, Meta(max_length=64)]
Path = Annotated[str, Meta(min_length=1, max_length=200)]
Model = Annotated[str, Meta(min_length=1, max_length=128)]
Id = Annotated[str, Meta(max_length=128)]
EventId = Annotated[str, Meta(max_length=64)]
Count = Annotated[int, Meta(ge=0, le=2**53)]
AttemptNumber = Annotated[int, Meta(ge=1, le=1_000_000)]
Amount = Annotated[float, Meta(ge=0)]
Instant = Annotated[datetime, Meta(tz=True)]
Seconds = Annotated[float, Meta(ge=0)]
# What is longer than these is cut by whoever takes it: an error is not refused for its length.
ErrorName = Annotated[str, Meta(max_length=200)]
Message = Annotated[str, Meta(max_length=2_000)]
AttributeName = Annotated[str, Meta(max_length=64)]
AttributeValue = Annotated[str, Meta(max_length=500)]
Attributes = Annotated[dict[AttributeName, AttributeValue], Meta(max_length=16)]


class StreamEnd(StrEnum):
    """How a stream ended; the first is the only good end."""

    COMPLETE = "complete"
    ERROR_EVENT = "error_event"
    TRANSPORT_ERROR = "transport_error"
    TRUNCATED = "truncated"
    CLOSED = "closed"
    DROPPED = "dropped"


class Circuit(StrEnum):
    """The state of a client's circuit breaker."""

    CLOSED = "closed"
    HALF_OPEN = "half_open"
    OPEN = "open"


class RateLimits(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """What the `anthropic-ratelimit-*` headers said; a reset is when the bucket is full again."""

    requests_limit: Amount | None = None
    requests_remaining: Amount | None = None
    requests_reset: Instant | Seconds | None = None
    tokens_limit: Amount | None = None
    tokens_remaining: Amount | None = None
    tokens_reset: Instant | Seconds | None = None
    input_tokens_limit: Amount | None = None
    input_tokens_remaining: Amount | None = None
    input_tokens_reset: Instant | Seconds | None = None
    output_tokens_limit: Amount | None = None
    output_tokens_remaining: Amount | None = None
    output_tokens_reset: Instant | Seconds | None = None


class Event(msgspec.Struct, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """One attempt of one call.

    Decoded events hold what was sent; `complete` fills in what was left out.
    `at` and `category` are always derived, never read from the input.
    """

    model: Model
    time: Instant | Seconds | None = None
    app: App = ""
    environment: Environment = ""
    path: Path = DEFAULT_PATH
    attempt: AttemptNumber = 1
    max_attempts: AttemptNumber | None = None
    final: bool | None = None
    exhausted: bool | None = None
    error_type: ErrorName | None = None
    status: Annotated[int, Meta(ge=100, le=599)] | None = None
    error_code: ErrorName | None = None
    error_message: Message | None = None
    tokens: Count | None = None
    max_tokens: Count | None = None
    input_tokens: Count | None = None
    output_tokens: Count | None = None
    cache_read_tokens: Count | None = None
    cache_write_tokens: Count | None = None
    duration_ms: Amount | None = None
    time_to_first_token_ms: Amount | None = None
    retry_after_s: Amount | None = None
    call_id: Id | None = None
    request_id: Id | None = None
    trace_id: Id | None = None
    span_id: Id | None = None
    event_id: EventId | None = None
    ratelimit: RateLimits | None = None
    stream_end: StreamEnd | None = None
    fallback_from: Model | None = None
    cached: bool | None = None
    circuit: Circuit | None = None
    stopped_by: ErrorName | None = None
    throttled_ms: Amount | None = None
    stop_reason: Id | None = None
    model_end_of_life: Id | None = None
    attributes: Attributes | None = None
    at: float = msgspec.field(default=0.0, name="_at")
    category: str = msgspec.field(default="ok", name="_category")
    provisional: bool = msgspec.field(default=False, name="_provisional")

    @property
    def ok(self) -> bool:
        """Whether the attempt succeeded; a refusal is a success."""
        return self.category == "ok"


FIELDS: dict[str, str] = {
    "time": "an RFC 3339 string with a time zone, or Unix seconds",
    "app": "a string of 1 to 64 characters",
    "environment": "a string of at most 64 characters",
    "path": "a string of 1 to 200 characters",
    "model": "a string of 1 to 128 characters; it is required",
    "attempt": "an integer from 1 to 1000000",
    "max_attempts": "an integer from 1 to 1000000, at least `attempt`",
    "final": "true or false",
    "exhausted": "true or false",
    "error_type": "a string, or null for a success",
    "status": "an integer from 100 to 599",
    "error_code": "a string",
    "error_message": "a string",
    "tokens": "an integer from 0: the tokens requested",
    "max_tokens": "an integer from 0: the tokens requested",
    "input_tokens": "an integer from 0",
    "output_tokens": "an integer from 0",
    "cache_read_tokens": "an integer from 0",
    "cache_write_tokens": "an integer from 0",
    "duration_ms": "a number from 0, in milliseconds",
    "time_to_first_token_ms": "a number from 0, in milliseconds",
    "retry_after_s": "a number from 0, in seconds",
    "call_id": "a string of at most 128 characters",
    "request_id": "a string of at most 128 characters",
    "trace_id": "a string of at most 128 characters",
    "span_id": "a string of at most 128 characters",
    "event_id": "a string of at most 64 characters",
    "ratelimit": "an object of {requests,tokens,input_tokens,output_tokens}_{limit,remaining,reset}",
    "stream_end": "one of " + ", ".join(StreamEnd),
    "fallback_from": "a string of 1 to 128 characters",
    "cached": "true or false",
    "circuit": "one of " + ", ".join(Circuit),
    "stopped_by": "a string of at most 200 characters: why no retry followed",
    "throttled_ms": "a number from 0, in milliseconds",
    "stop_reason": "a string of at most 128 characters",
    "model_end_of_life": "a date, as a string of at most 128 characters",
    "attributes": "a flat object of at most 16 strings",
}
"""What each field takes: the remedy in every refusal. What it means: service/event_fields.py."""


class EventError(ValueError):
    """An event that cannot be taken; its text is *field: value: remedy*."""

    def __init__(self, field: str, value: object, remedy: str) -> None:
        super().__init__(f"{field}: {shown(value)}: {remedy}")
        self.field = field
        self.value = value
        self.remedy = remedy


def shown(value: object, limit: int = 60) -> str:
    """Return a value as it may stand in a message: short, one line, without secrets."""
    text = repr(value) if not isinstance(value, str) else value
    text = redact(_CONTROL.sub(" ", text))
    return text if len(text) <= limit else text[: limit - 1] + "…"


_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_SECRET = re.compile(r"sk-ant-[A-Za-z0-9_\-]+")


def redact(text: str) -> str:
    """Return the text with anything that looks like an API key blotted out."""
    return _SECRET.sub("sk-ant-***", text) if "sk-ant-" in text else text


def clean_message(text: str) -> str:
    """Return an error message as it is kept: redacted, one line, at most 500 characters."""
    return redact(_CONTROL.sub(" ", text)).strip()[:MAX_MESSAGE]


def complete(event: Event, *, received_at: float, default_app: str = DEFAULT_APP) -> Event:
    """Fill in, in place, what the sender left out, and return the same event.

    Args:
        event: As decoded.
        received_at: When it arrived, in Unix seconds.
        default_app: The app of the key it was sent with.

    Raises:
        EventError: It is more than 5 minutes ahead, or contradicts itself.
    """
    event.at = _instant(event.time, received_at)
    if not event.app:
        event.app = default_app
    event.provisional = False
    if event.max_attempts is not None and event.max_attempts < event.attempt:
        raise EventError("max_attempts", event.max_attempts, f"at least attempt, which is {event.attempt}")
    if event.error_type is None and event.error_code is None and event.stream_end is None:
        status = event.status
        if status is None or 200 <= status <= 299:
            event.category = "ok"
            event.final = True
            event.exhausted = False
            return event
    _complete_error(event)
    return event


class Completed(NamedTuple):
    """What was found in a batch.

    Attributes:
        refused: The places of those that cannot be taken, and why.
        others: The places of those that are more than a plain success, these among them.
    """

    refused: list[tuple[int, EventError]]
    others: list[int]


def complete_all(events: list[Event], *, received_at: float, default_app: str = DEFAULT_APP) -> Completed:
    """Complete a batch in place, as `complete` does each.

    The usual event, a success that says all, is completed here and costs a fifth.
    """
    refused: list[tuple[int, EventError]] = []
    others: list[int] = []
    for place, event in enumerate(events):
        time = event.time
        if (
            time.__class__ is float
            and time <= received_at
            and event.status == 200
            and event.error_type is None
            and event.error_code is None
            and event.stream_end is None
            and event.event_id is None
            and event.app
            and (event.max_attempts is None or event.max_attempts >= event.attempt)
        ):
            event.at = time
            event.final, event.exhausted = True, False
            continue
        others.append(place)
        try:
            complete(event, received_at=received_at, default_app=default_app)
        except EventError as fault:
            refused.append((place, fault))
    return Completed(refused, others)


def _instant(time: datetime | float | None, received_at: float) -> float:
    if time is None:
        return received_at
    at = float(time) if isinstance(time, (float, int)) else time.timestamp()
    if at < 0:
        raise EventError("time", _time_text(time), "1970 or later")
    if at > received_at + MAX_AHEAD_S:
        remedy = "at most 5 minutes ahead of the receiver's clock"
        if at > 1e11:
            remedy += "; Unix seconds, not milliseconds"
        raise EventError("time", _time_text(time), remedy)
    # A sender's clock that is a little ahead must not delay its alerts.
    return min(at, received_at)


def _time_text(time: datetime | float) -> str:
    return time.isoformat() if isinstance(time, datetime) else repr(time)


_STREAM_CUT = frozenset({StreamEnd.TRANSPORT_ERROR, StreamEnd.TRUNCATED})
_STREAM_LEFT = frozenset({StreamEnd.CLOSED, StreamEnd.DROPPED})


def category_of(event: Event) -> Category:
    """Return what an event says happened, from the best evidence it has."""
    if event.stream_end in _STREAM_CUT:
        return Category.STREAM
    category = classify(event.error_code, event.error_type, event.status)
    if category is Category.OK and event.stream_end is StreamEnd.ERROR_EVENT:
        return Category.STREAM
    if category is Category.OK and event.stream_end in _STREAM_LEFT:
        return Category.CANCELLED
    return category


def _complete_error(event: Event) -> None:
    category = category_of(event)
    event.category = category.value
    if event.error_message is not None:
        event.error_message = clean_message(event.error_message)
    if category is Category.OK:
        event.final = True
        event.exhausted = False
        return
    if event.status is None:
        event.status = typical_status(event.error_code, event.error_type)
    # After a 200 no retry was possible, whatever the error is.
    in_stream = event.stream_end is not None or (event.status is not None and event.status < 300)
    retryable = KINDS[category].retryable and not in_stream
    _complete_outcome(event, retryable=retryable)


def _complete_outcome(event: Event, *, retryable: bool) -> None:
    """Derive `final` and `exhausted` of a failed attempt, as docs/reference/events.md says."""
    last = event.max_attempts is not None and event.attempt >= event.max_attempts
    if event.final is None:
        if event.exhausted is not None:
            event.final = event.exhausted or not retryable or event.max_attempts is None or last
        elif not retryable:
            event.final = True
        elif event.max_attempts is None:
            # Counts as a failed call until a later attempt takes it back.
            event.final = True
            event.exhausted = False
            event.provisional = event.call_id is not None
        else:
            event.final = last
    if event.exhausted is None:
        event.exhausted = event.final and retryable and (last or event.max_attempts is None)
    if not event.final:
        event.exhausted = False


def to_wire(event: Event) -> dict[str, Any]:
    """Return an event in the shape it was posted in, derived fields filled, as JSON builtins."""
    wire: dict[str, Any] = msgspec.to_builtins(event)
    for derived in ("_at", "_category", "_provisional"):
        wire.pop(derived, None)
    wire["time"] = datetime.fromtimestamp(event.at, UTC).isoformat().replace("+00:00", "Z")
    wire["category"] = event.category
    if "tokens" not in wire and "max_tokens" in wire:
        wire["tokens"] = wire["max_tokens"]
    return wire
