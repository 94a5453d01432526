"""An app whose calls to the (fake) Claude API are traced by one of the instrumentations, content and all.

Runs as a process of its own, for instrumentations patch the SDK for good:

    python -m tests.otlp.instrumented NAME --claude URL --otlp URL

Every prompt holds `CANARY`, every answer `Hello!`: neither may be found in Claxon.
"""

from __future__ import annotations

import argparse
import contextlib
import os
from collections.abc import Callable
from typing import Any

CANARY = "canary-in-the-prompt"
"""In each prompt."""

QUIET = "429:retry_after_ms=1"
SCRIPTS = (
    ("200", False),
    ("200", True),
    ("401", False),
    (f"{QUIET},{QUIET},{QUIET}", False),
    ("500:retry_after_ms=1,500:retry_after_ms=1,200", False),
    ("529:retry_after_ms=1", False),
    ("429:error_code=enforced_spend_limit_reached;retry_after_ms=1", False),
    (f"400:message=messages.0 {CANARY} is too long", False),
    ("refusal", False),
    ("reset", False),
    ("stream-error", True),
    ("stream-cut", True),
    ("stream-end", True),
)
"""What the API plays, and whether the app streams: one call each, in this order, then `left_early`."""

MODEL = "claude-sonnet-5"


def main() -> None:
    """Make the calls and flush."""
    parser = argparse.ArgumentParser()
    parser.add_argument("name", choices=sorted(INSTRUMENTATIONS))
    parser.add_argument("--claude", required=True)
    parser.add_argument("--otlp", required=True)
    parser.add_argument("--scripts", nargs="*", help="of these, in place of all; a `~` before one streams")
    asked = parser.parse_args()
    os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = asked.otlp
    os.environ["OTEL_RESOURCE_ATTRIBUTES"] = "deployment.environment.name=test"
    os.environ["OTEL_SERVICE_NAME"] = asked.name
    flush = INSTRUMENTATIONS[asked.name]()
    given = [(text.removeprefix("~"), text.startswith("~")) for text in asked.scripts or ()]
    calls(asked.claude, given or SCRIPTS, leave_early=not given)
    flush()


def calls(url: str, scripts: Any, *, leave_early: bool) -> None:
    """Call once for each script."""
    import anthropic

    with anthropic.Anthropic(api_key="x", base_url=url) as client:
        for script, stream in scripts:
            asking = {
                "model": MODEL,
                "max_tokens": 50,
                "system": f"A system prompt with {CANARY}",
                "messages": [{"role": "user", "content": f"Say hello, {CANARY}"}],
                "extra_headers": {"x-fake": script},
            }
            with contextlib.suppress(Exception):
                if not stream:
                    client.messages.create(**asking)  # type: ignore[call-overload]
                    continue
                for _ in client.messages.create(**asking, stream=True):  # type: ignore[call-overload]
                    pass
        if leave_early:
            asking["extra_headers"] = {"x-fake": "200"}
            with client.messages.create(**asking, stream=True) as answer:  # type: ignore[call-overload]
                next(iter(answer))


def _provider() -> Any:
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    return provider


def _native() -> Callable[[], object]:
    os.environ["ANTHROPIC_OPEN_TELEMETRY_TRACES_CONTENT_MODE"] = "content"
    return _provider().force_flush  # type: ignore[no-any-return]


def _alone(instrument: Callable[[Any], None]) -> Callable[[], object]:
    """Instrument without the SDK's own spans."""
    os.environ["ANTHROPIC_OPEN_TELEMETRY"] = "false"
    provider = _provider()
    instrument(provider)
    return provider.force_flush  # type: ignore[no-any-return]


def _openllmetry(provider: Any) -> None:
    from opentelemetry.instrumentation.anthropic import AnthropicInstrumentor

    AnthropicInstrumentor().instrument(tracer_provider=provider)


def _over_native(instrument: Callable[[Any], None]) -> Callable[[], object]:
    """Instrument beside the SDK's own spans, which are on by default: each call has two."""
    provider = _provider()
    instrument(provider)
    return provider.force_flush  # type: ignore[no-any-return]


def _genai(provider: Any) -> None:
    os.environ["OTEL_SEMCONV_STABILITY_OPT_IN"] = "gen_ai_latest_experimental"
    os.environ["OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"] = "SPAN_AND_EVENT"
    from opentelemetry._logs import set_logger_provider
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.instrumentation.genai.anthropic import AnthropicInstrumentor
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor

    logs = LoggerProvider()
    logs.add_log_record_processor(SimpleLogRecordProcessor(OTLPLogExporter()))
    set_logger_provider(logs)
    AnthropicInstrumentor().instrument(tracer_provider=provider, logger_provider=logs)


def _openinference(provider: Any) -> None:
    from openinference.instrumentation.anthropic import AnthropicInstrumentor

    AnthropicInstrumentor().instrument(tracer_provider=provider)


def _logfire(*, native: bool) -> Callable[[], object]:
    os.environ["ANTHROPIC_OPEN_TELEMETRY"] = str(native).lower()
    import logfire

    logfire.configure(send_to_logfire=False, console=False)
    logfire.instrument_anthropic()
    return logfire.force_flush


INSTRUMENTATIONS: dict[str, Callable[[], Callable[[], object]]] = {
    "native": _native,
    "openllmetry": lambda: _alone(_openllmetry),
    "openllmetry-over-native": lambda: _over_native(_openllmetry),
    "genai": lambda: _alone(_genai),
    "openinference": lambda: _alone(_openinference),
    "genai-over-native": lambda: _over_native(_genai),
    "openinference-over-native": lambda: _over_native(_openinference),
    "logfire": lambda: _logfire(native=False),
    "logfire-over-native": lambda: _logfire(native=True),
}
"""How each is switched on; what it returns flushes it."""


if __name__ == "__main__":
    main()
