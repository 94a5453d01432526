"""Events joined to the app's own traces and metrics, with the real OpenTelemetry SDK."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import anthropic
import claxon
import pytest
from claxon import Event
from claxon.otel import Metrics
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from service.demo.fake_claude import FakeClaude
from tests.client.calling import ARGUMENTS, SOON, ask, script


class Traces:
    """A tracer provider that remembers."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracer = self.provider.get_tracer("test")

    def span(self, name: str) -> ReadableSpan:
        (found,) = [span for span in self.exporter.get_finished_spans() if span.name == name]
        return found


@pytest.fixture
def traces() -> Iterator[Traces]:
    made = Traces()
    yield made
    made.provider.shutdown()


async def test_each_attempt_is_an_event_of_the_span_around_it(
    client: anthropic.Anthropic, events: list[Event], traces: Traces
) -> None:
    with traces.tracer.start_as_current_span("app"):
        await ask(client, f"529:{SOON},200")

    first, second = traces.span("app").events
    assert first.name == "claxon.attempt"
    assert first.attributes is not None
    assert second.attributes is not None
    assert {name: first.attributes[name] for name in ("claxon.attempt", "claxon.attempts.max")} == {
        "claxon.attempt": 1,
        "claxon.attempts.max": 3,
    }
    assert (first.attributes["claxon.final"], first.attributes["claxon.exhausted"]) == (False, False)
    assert first.attributes["error.type"] == "overloaded_error"
    assert first.attributes["http.response.status_code"] == 529
    assert "error.type" not in second.attributes
    assert second.attributes["gen_ai.usage.input_tokens"] == 20, "with those from the cache"
    assert second.attributes["gen_ai.request.model"] == "claude-test"


async def test_events_carry_the_ids_of_the_span_around_them(
    client: anthropic.Anthropic, events: list[Event], traces: Traces
) -> None:
    with traces.tracer.start_as_current_span("app") as span:
        await ask(client, "200")
    await ask(client, "200")

    context = span.get_span_context()
    assert events[0].trace_id == f"{context.trace_id:032x}"
    assert events[0].span_id == f"{context.span_id:016x}"
    assert events[1].trace_id is events[1].span_id is None


async def test_the_sdks_own_span_is_the_one_around_an_attempt_and_still_ends(
    fake: FakeClaude, events: list[Event], traces: Traces
) -> None:
    with (
        anthropic.Anthropic(
            api_key="x", base_url=fake.url, open_telemetry={"tracer_provider": traces.provider}
        ) as client,
        client.messages.create(**script("200"), stream=True) as stream,
    ):
        list(stream)

    span = traces.span("anthropic.messages.create")
    assert span.context is not None
    assert events[0].span_id == f"{span.context.span_id:016x}"
    assert [event.name for event in span.events] == ["claxon.attempt"]
    assert span.attributes is not None
    assert span.attributes["gen_ai.usage.output_tokens"] == 12


async def test_the_route_of_the_apps_server_span_is_the_path_unless_the_app_says_another(
    client: anthropic.Anthropic, events: list[Event], traces: Traces
) -> None:
    with traces.tracer.start_as_current_span("GET", kind=SpanKind.SERVER, attributes={"http.route": "/orders/{id}"}):
        await ask(client, "200")
        with claxon.context(path="orders"):
            await ask(client, "200")

    assert [event.path for event in events] == ["/orders/{id}", "orders"]


async def test_it_can_be_switched_off(client: anthropic.Anthropic, traces: Traces) -> None:
    claxon.instrument(url="", otel=False)
    with traces.tracer.start_as_current_span("app"):
        await ask(client, "200")

    assert traces.span("app").events == ()


async def test_calls_are_counted_by_the_names_of_the_conventions(
    client: anthropic.Anthropic, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    monkeypatch.setattr(metrics, "get_meter", provider.get_meter)
    claxon.instrument(url="", interval_s=60)

    await ask(client, f"529:{SOON},200")
    with client.messages.create(**ARGUMENTS, stream=True) as stream:
        list(stream)
    await ask(client, "401")
    assert claxon.flush(5)

    points = _points(reader)
    provider.shutdown()
    durations = points["gen_ai.client.inference.duration"]
    assert sum(point.count for point in durations) == 3, "calls, not attempts"
    assert {point.attributes.get("error.type") for point in durations} == {None, "authentication_error"}
    assert points["gen_ai.client.inference.usage.output_tokens"][0].value == 5 + 12
    assert points["gen_ai.client.inference.usage.input_tokens"][0].value == 20 + 20
    assert points["gen_ai.client.inference.usage.cache_read.input_tokens"][0].value == 14
    assert points["gen_ai.client.inference.time_to_first_chunk"][0].count == 1


def _points(reader: InMemoryMetricReader) -> dict[str, list[Any]]:
    data = reader.get_metrics_data()
    assert data is not None
    found = [
        metric for resource in data.resource_metrics for scope in resource.scope_metrics for metric in scope.metrics
    ]
    return {metric.name: list(metric.data.data_points) for metric in found}


def test_without_opentelemetry_in_the_process_it_does_nothing_and_imports_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from claxon import otel

    for name in list(sys.modules):
        if name.startswith("opentelemetry"):
            monkeypatch.delitem(sys.modules, name)

    assert otel.current_span() is None
    assert not Metrics()._open()
    otel.suppress()
    assert not [name for name in sys.modules if name.startswith("opentelemetry")]
