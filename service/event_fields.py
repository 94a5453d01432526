"""What each field of an event means, for OpenAPI and docs/reference/events.md.

≠ which values it takes: that is its type in claxon/event.py.
"""

from __future__ import annotations

from dataclasses import dataclass

from claxon.event import DEFAULT_APP, MAX_AHEAD_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """One field.

    Attributes:
        what: It says; Markdown.
        absent: What holds where it is not there; "" is: nothing is known.
    """

    what: str
    absent: str = ""


MEANINGS: dict[str, Meaning] = {
    "model": Meaning(what="the model that was asked for", absent="the event is refused"),
    "time": Meaning(
        what=f"when the attempt **ended**; 1970 or later, at most {MAX_AHEAD_S / 60:g} min ahead of Claxon's clock",
        absent="time of receipt",
    ),
    "app": Meaning(what="the app", absent=f"the key's app, else `{DEFAULT_APP}`"),
    "environment": Meaning(what="such as `production`", absent='`""`'),
    "path": Meaning(what="the app's own route name, or the request path", absent="`/v1/messages`"),
    "attempt": Meaning(what="which attempt of the call this is", absent="1"),
    "max_attempts": Meaning(what="how many there may be; at least `attempt`", absent="unknown"),
    "final": Meaning(what="no attempt of this call follows", absent="derived, see below"),
    "exhausted": Meaning(what="final, failed, retryable, and no retry was left", absent="derived, see below"),
    "error_type": Meaning(
        what="an API type, the name of an SDK exception, or a category; null is success", absent="derived from `status`"
    ),
    "status": Meaning(what="the HTTP status", absent="derived from `error_type` where it has one"),
    "error_code": Meaning(what="`error.details.error_code` of the API's answer"),
    "error_message": Meaning(
        what="the API's words, on one line: control characters are removed. The log has up to 2,000 characters of it"
    ),
    "tokens": Meaning(what="the tokens requested", absent="as `max_tokens`"),
    "max_tokens": Meaning(what="the tokens requested, under the API's own name"),
    "input_tokens": Meaning(what="tokens used"),
    "output_tokens": Meaning(what="tokens used"),
    "cache_read_tokens": Meaning(what="tokens read from the prompt cache"),
    "cache_write_tokens": Meaning(what="tokens written to it"),
    "duration_ms": Meaning(what="how long the attempt took, in milliseconds"),
    "time_to_first_token_ms": Meaning(what="until a stream's first token, in milliseconds"),
    "retry_after_s": Meaning(what="how long the SDK sleeps before the next attempt, in seconds"),
    "call_id": Meaning(what="the same for all attempts of a call"),
    "request_id": Meaning(what="the API's own, which its support asks for"),
    "trace_id": Meaning(what="of a trace that has the attempt"),
    "span_id": Meaning(what="of its span"),
    "event_id": Meaning(what="makes a re-post of this event harmless for 24 h"),
    "ratelimit": Meaning(
        what="what the `anthropic-ratelimit-*` headers said; a reset is when the bucket is full again"
    ),
    "stream_end": Meaning(what="how a stream ended, [see below](#how-a-stream-ended)", absent="not a stream"),
    "fallback_from": Meaning(what="the model that failed first"),
    "cached": Meaning(what="a stale answer was served"),
    "circuit": Meaning(
        what="the state of the client's [circuit breaker](../client/circuit-breaker.md) after this attempt; sent when "
        "it is not closed, or has just become so"
    ),
    "stopped_by": Meaning(
        what="why no further retry was made: max_attempts, deadline, retry_budget, cost, retry_after, circuit"
    ),
    "throttled_ms": Meaning(
        what="how long the client held it back before it was sent, in milliseconds", absent="not held back"
    ),
    "stop_reason": Meaning(what="the API's stop reason; `refusal` is a success with its own counter"),
    "model_end_of_life": Meaning(what="the date after which the model is gone"),
    "attributes": Meaning(what="kept as evidence, never a label"),
}
"""By name, in the order of the reference."""
