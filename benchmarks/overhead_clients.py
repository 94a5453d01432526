"""The clients that benchmarks.client_overhead compares, and the clock that is held to them.

Runs by itself, in an environment that has nothing but the SDK and one instrumentation:

    python overhead_clients.py MODE PORT BLOCKS BLOCK

No network: a mock transport answers with one small message, behind the headers the API really sends. Blocks of calls
of a bare client and of an observed one alternate in one process, so that the machine's noise hits both; the figure is
the median of the differences of neighbouring blocks' medians.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import statistics
import sys
import time
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import anthropic
import httpx2

MESSAGE = {
    "id": "msg_01",
    "type": "message",
    "role": "assistant",
    "model": "claude-test",
    "content": [{"type": "text", "text": "Hello!"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 10, "output_tokens": 5},
}
DELTAS = 20
"""Pieces of text in a stream."""

HEADERS = {"request-id": "req_1", "anthropic-organization-id": "org_1"} | {
    f"anthropic-ratelimit-{kind}-{part}": value
    for kind in ("requests", "tokens", "input-tokens", "output-tokens")
    for part, value in (("limit", "50"), ("remaining", "40"), ("reset", "2026-11-23T12:00:00Z"))
}
CALL: dict[str, Any] = {
    "model": "claude-test",
    "max_tokens": 64,
    "messages": [{"role": "user", "content": "Hello"}],
}


# ── the answers ───────────────────────────────────────────────────────────────────────────────────


def _sse(event: dict[str, Any]) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (event["type"].encode(), json.dumps(event).encode())


def _events() -> list[bytes]:
    text = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "a few words "}}
    return [
        _sse({"type": "message_start", "message": {**MESSAGE, "content": [], "stop_reason": None}}),
        _sse({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        *[_sse(text)] * DELTAS,
        _sse({"type": "content_block_stop", "index": 0}),
        _sse({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 60}}),
        _sse({"type": "message_stop"}),
    ]


EVENTS = _events()


class Body(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """A streamed answer, an event a chunk, as they come over the network."""

    def __iter__(self) -> Iterator[bytes]:
        yield from EVENTS

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for event in EVENTS:
            yield event


def answer(request: httpx2.Request) -> httpx2.Response:
    """Answer at once."""
    if b'"stream":true' in request.content.replace(b" ", b""):
        return httpx2.Response(200, headers={**HEADERS, "content-type": "text/event-stream"}, stream=Body())
    return httpx2.Response(200, json=MESSAGE, headers=HEADERS)


def make(kind: type[Any], **more: Any) -> Any:
    """Return a client whose transport answers at once."""
    transport = httpx2.MockTransport(answer)
    http = httpx2.Client if kind is anthropic.Anthropic else httpx2.AsyncClient
    more.setdefault("open_telemetry", False)
    return kind(
        api_key="x", base_url="http://127.0.0.1:9", max_retries=0, http_client=http(transport=transport), **more
    )


# ── what is compared ──────────────────────────────────────────────────────────────────────────────


def _nothing() -> None:
    pass


@dataclass(frozen=True, kw_only=True)
class Observed:
    """What one mode measures.

    Attributes:
        client: Returns a client, by the SDK's class.
        on: Observes it, and every other client of the process; called before each block.
        off: Ends that; called after it.
    """

    client: Callable[[type[Any]], Any] = make
    on: Callable[[], None] = _nothing
    off: Callable[[], None] = _nothing


async def _passes_on(request: Any, call_next: Any) -> Any:
    return await call_next(request)


def _no_op(_: int) -> Observed:
    def client(kind: type[Any]) -> Any:
        plain: Any = lambda request, call_next: call_next(request)  # noqa: E731
        return make(kind, middleware=[plain if kind is anthropic.Anthropic else _passes_on])

    return Observed(client=client)


def _instrument(port: int) -> Observed:
    import claxon

    return Observed(on=lambda: claxon.instrument(url=f"http://127.0.0.1:{port}"), off=claxon.uninstrument)


def _watch(port: int) -> Observed:
    import claxon

    return Observed(client=lambda kind: claxon.watch(make(kind), url=f"http://127.0.0.1:{port}"))


def _production(port: int) -> Observed:
    import claxon

    url = f"http://127.0.0.1:{port}"
    return Observed(client=lambda kind: claxon.production(make(kind), fallbacks=["claude-other"], show=False, url=url))


def _provider() -> Any:
    """Return a tracer provider whose spans go through a queue to nowhere."""
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

    class Null(SpanExporter):
        def export(self, spans: Any) -> SpanExportResult:
            del spans
            return SpanExportResult.SUCCESS

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(Null()))
    return provider


def _traced(_: int) -> Observed:
    provider = _provider()
    return Observed(client=lambda kind: make(kind, open_telemetry={"tracer_provider": provider}))


def _openllmetry(_: int) -> Observed:
    os.environ["TRACELOOP_TRACE_CONTENT"] = "false"
    from opentelemetry.instrumentation.anthropic import AnthropicInstrumentor

    return _instrumentor(AnthropicInstrumentor())


def _openinference(_: int) -> Observed:
    os.environ.update(OPENINFERENCE_HIDE_INPUTS="true", OPENINFERENCE_HIDE_OUTPUTS="true")
    from openinference.instrumentation.anthropic import AnthropicInstrumentor

    return _instrumentor(AnthropicInstrumentor())


def _instrumentor(instrumentor: Any) -> Observed:
    provider = _provider()
    return Observed(on=lambda: instrumentor.instrument(tracer_provider=provider), off=instrumentor.uninstrument)


MODES: dict[str, Callable[[int], Observed]] = {
    "bare": lambda _: Observed(),
    "no-op middleware": _no_op,
    "claxon.instrument": _instrument,
    "claxon.watch": _watch,
    "claxon.production": _production,
    "the SDK's own tracing": _traced,
    "OpenLLMetry": _openllmetry,
    "OpenInference": _openinference,
}


# ── the clock ─────────────────────────────────────────────────────────────────────────────────────


def _sync(client: Any, calls: int, *, stream: bool) -> list[int]:
    create, clock = client.messages.create, time.perf_counter_ns
    taken = []
    for _ in range(calls):
        began = clock()
        if stream:
            for _event in create(**CALL, stream=True):
                pass
        else:
            create(**CALL)
        taken.append(clock() - began)
    return taken


async def _async(client: Any, calls: int, *, stream: bool) -> list[int]:
    create, clock = client.messages.create, time.perf_counter_ns
    taken = []
    for _ in range(calls):
        began = clock()
        if stream:
            async for _event in await create(**CALL, stream=True):
                pass
        else:
            await create(**CALL)
        taken.append(clock() - began)
    return taken


SHAPES: dict[str, tuple[type[Any], bool]] = {
    "sync": (anthropic.Anthropic, False),
    "async": (anthropic.AsyncAnthropic, False),
    "sync stream": (anthropic.Anthropic, True),
    "async stream": (anthropic.AsyncAnthropic, True),
}
"""Of calls: by which client, and whether streamed."""


def measured(observed: Observed, shape: str, *, blocks: int, block: int) -> dict[str, float]:
    """Return what one mode adds to a call of one shape, and what a bare one takes, in microseconds."""
    kind, stream = SHAPES[shape]
    bare, client = make(kind), observed.client(kind)
    times: dict[bool, list[float]] = {True: [], False: []}
    with asyncio.Runner() as runner:
        for number in range(2 * blocks + 4):
            on = number % 2 == 1
            if on:
                observed.on()
            gc.collect()
            asked = client if on else bare
            if kind is anthropic.Anthropic:
                taken = _sync(asked, block, stream=stream)  # outside of any event loop, as in a sync app
            else:
                taken = runner.run(_async(asked, block, stream=stream))
            if on:
                observed.off()
            if number >= 4:
                times[on].append(statistics.median(taken) / 1000)
    added = [with_it - without for with_it, without in zip(times[True], times[False], strict=True)]
    return {"added_us": statistics.median(added), "bare_us": statistics.median(times[False])}


def run(mode: str, port: int, *, blocks: int, block: int) -> None:
    """Measure one mode and print a JSON line."""
    warnings.simplefilter("ignore")
    observed = MODES[mode](port)
    found = {shape: measured(observed, shape, blocks=blocks, block=block) for shape in SHAPES}
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    run(sys.argv[1], int(sys.argv[2]), blocks=int(sys.argv[3]), block=int(sys.argv[4]))
