"""otel: joins events to the app's own traces and metrics, where it has any.

OpenTelemetry is never imported here, only found: without it in the process
every function does nothing. There is no convention for retries, so those
attributes are ours (`claxon.*`); the others have the names of the GenAI
conventions.

Source:
    open-telemetry/semantic-conventions-genai, "gen-ai-metrics" (Development).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from . import guard
from .attempt import Attempt, Call, Usage
from .counting import NAMES, counted
from .event import Event, category_of
from .recording import to_event
from .settings import Settings

SPAN_EVENT = "claxon.attempt"
DURATION = "gen_ai.client.inference.duration"
FIRST_CHUNK = "gen_ai.client.inference.time_to_first_chunk"
USAGE = "gen_ai.client.inference.usage."
OPERATION = "gen_ai.client.inference.operation."
SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
TOKENS = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864)


def current_span() -> Any:
    """Return the span around this code; None when there is none, or no OpenTelemetry."""
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return None
    span = trace.get_current_span()
    return None if span is trace.INVALID_SPAN else span


def span_inside(call: Call) -> Any:
    """Return the SDK's own span if it records, else the app's around the call."""
    span = current_span()
    return span if span is not None and span.is_recording() else call.span


def route_of(span: Any) -> str | None:
    """Return the route that a server span is for: the app's own word for a path."""
    if not span.is_recording():
        return None
    route = (getattr(span, "attributes", None) or {}).get("http.route")
    return route if isinstance(route, str) and route else None


def mark_span(attempt: Attempt) -> None:
    """Add the attempt to its span as a span event, if the span records, still."""
    if attempt.span.is_recording():
        attempt.span.add_event(SPAN_EVENT, span_attributes(attempt))


def span_attributes(attempt: Attempt) -> dict[str, str | int | float | bool]:
    """Return the attributes of an attempt's span event; what is unknown is left out."""
    event = to_event(attempt, _NO_SETTINGS)
    found: dict[str, Any] = {
        "claxon.attempt": event.attempt,
        "claxon.attempts.max": event.max_attempts,
        "claxon.final": event.final,
        "claxon.exhausted": event.exhausted,
        "claxon.category": category_of(event).value,
        "claxon.call.id": event.call_id,
        "claxon.path": event.path,
        "claxon.retry_after": event.retry_after_s,
        "claxon.stream.end": event.stream_end,
        "error.type": error_type(attempt),
        "http.response.status_code": event.status,
        "anthropic.request.id": event.request_id,
        "gen_ai.request.model": event.model,
        "gen_ai.request.max_tokens": event.tokens,
        "gen_ai.usage.input_tokens": input_tokens(attempt.usage),
        "gen_ai.usage.output_tokens": event.output_tokens,
        "gen_ai.usage.cache_read.input_tokens": event.cache_read_tokens,
        "gen_ai.usage.cache_write.input_tokens": event.cache_write_tokens,
    }
    return {name: value for name, value in found.items() if value is not None}


_NO_SETTINGS = Settings()


def error_type(attempt: Attempt) -> str | None:
    """Return the `error.type` of an attempt: the API's, else the status; None for a success."""
    if attempt.error_type is not None:
        return attempt.error_type
    return str(attempt.status) if attempt.status is not None and attempt.status >= 400 else None


def input_tokens(usage: Usage) -> int | None:
    """Return all input tokens, cached ones included, as the conventions count them."""
    if usage.input_tokens is None:
        return None
    return usage.input_tokens + (usage.cache_read_input_tokens or 0) + (usage.cache_creation_input_tokens or 0)


def _counter(name: str) -> Callable[[Any], list[Any]]:
    def observe(options: Any) -> list[Any]:
        del options
        return [_observation(counted().get(name, 0), {})]

    return observe


def _circuits(options: Any) -> list[Any]:
    del options
    breaker = sys.modules.get("claxon.breaker")
    if breaker is None:
        return []
    values = {"closed": 0, "half_open": 1, "open": 2}
    return [
        _observation(values[str(state)], {"app": app, "gen_ai.request.model": model})
        for app, model, state in breaker.circuit_states()
    ]


def _observation(value: int, labels: dict[str, str]) -> Any:
    return sys.modules["opentelemetry.metrics"].Observation(value, labels)


def suppress() -> None:
    """Keep OpenTelemetry from tracing this thread: the client's own requests are no part of the app."""
    context = sys.modules.get("opentelemetry.context")
    if context is None:
        return
    marked = context.set_value("suppress_instrumentation", True)
    context.attach(context.set_value("suppress_http_instrumentation", True, marked))


class Metrics:
    """The GenAI metrics, recorded once a call has ended; all its methods are for the shipping thread."""

    def __init__(self) -> None:
        self._instruments: dict[str, Any] | None = None

    def record(self, attempt: Attempt, event: Event) -> None:
        """Count a final attempt, if the app has OpenTelemetry's metrics."""
        del event
        if attempt.final is False:
            return
        try:
            if self._instruments is None and not self._open():
                return
            self._record(attempt)
        except Exception as error:  # noqa: BLE001 - a meter of the app must not stop the shipping
            guard.fault("otel", error)

    def _open(self) -> bool:
        metrics = sys.modules.get("opentelemetry.metrics")
        if metrics is None:
            return False
        meter = metrics.get_meter("claxon")
        made = {
            DURATION: meter.create_histogram(
                DURATION,
                unit="s",
                description="Duration of a call",
                explicit_bucket_boundaries_advisory=SECONDS,
            ),
            FIRST_CHUNK: meter.create_histogram(
                FIRST_CHUNK,
                unit="s",
                description="Time to the first content",
                explicit_bucket_boundaries_advisory=SECONDS,
            ),
        }
        for kind in ("input_tokens", "output_tokens"):
            made[OPERATION + kind] = meter.create_histogram(
                OPERATION + kind,
                unit="{token}",
                description="Tokens of a call",
                explicit_bucket_boundaries_advisory=TOKENS,
            )
        for kind in ("input_tokens", "output_tokens", "cache_read.input_tokens", "cache_write.input_tokens"):
            made[USAGE + kind] = meter.create_counter(USAGE + kind, unit="{token}", description="Tokens used")
        for name, help_ in NAMES.items():
            meter.create_observable_counter(f"claxon.client.{name}", [_counter(name)], description=help_)
        meter.create_observable_gauge(
            "claxon.circuit.state", [_circuits], description="Circuit breaker: 0 closed, 1 half open, 2 open"
        )
        self._instruments = made
        return True

    def _record(self, attempt: Attempt) -> None:
        assert self._instruments is not None
        labels = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "anthropic",
            "gen_ai.request.model": attempt.model,
        }
        error = error_type(attempt)
        if error is not None:
            labels["error.type"] = error
        began = attempt.call.started or attempt.started
        self._instruments[DURATION].record(max(0.0, attempt.ended - began), labels)
        if attempt.first_token is not None:
            self._instruments[FIRST_CHUNK].record(attempt.first_token - attempt.started, labels)
        self._count(attempt.usage, labels)

    def _count(self, usage: Usage, labels: dict[str, str]) -> None:
        assert self._instruments is not None
        counts = {
            "input_tokens": input_tokens(usage),
            "output_tokens": usage.output_tokens,
            "cache_read.input_tokens": usage.cache_read_input_tokens,
            "cache_write.input_tokens": usage.cache_creation_input_tokens,
        }
        for kind, count in counts.items():
            if count is None:
                continue
            self._instruments[USAGE + kind].add(count, labels)
            if OPERATION + kind in self._instruments:
                self._instruments[OPERATION + kind].record(count, labels)
