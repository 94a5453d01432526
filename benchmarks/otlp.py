"""How fast OTLP becomes events, against bare msgspec decoding of the same events in the same run.

One core, no HTTP and no storage: bodies of 500 spans as the real exporter encodes those of the anthropic SDK (22
attributes each, 3 % failed), and the same events as JSON. Usage: python -m benchmarks.otlp [--batch 500] [--seconds 2]
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import msgspec
from claxon.event import Event
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from service.otlp import protobuf
from service.otlp.taking import take_spans

_BODIES = 20


def make_request(n: int, *, seed: int) -> Any:
    """Return a request of spans as the anthropic SDK sends them."""
    r = random.Random(seed)
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    _put(group.resource.attributes, {"service.name": "shop", "deployment.environment.name": "production"})
    scoped = group.scope_spans.add()
    scoped.scope.name = "com.anthropic.sdk.python"
    now = time.time_ns()
    for _ in range(n):
        failed = r.random() < 0.03
        span = scoped.spans.add(name="anthropic.messages.create", kind=3)
        span.trace_id, span.span_id = r.randbytes(16), r.randbytes(8)
        span.end_time_unix_nano = now - r.randrange(10**9)
        span.start_time_unix_nano = span.end_time_unix_nano - r.randrange(10**9)
        span.status.code = 2 if failed else 1
        _put(span.attributes, _attributes(r, failed=failed))
    return request


def _attributes(r: random.Random, *, failed: bool) -> dict[str, Any]:
    asked = {
        "server.address": "api.anthropic.com",
        "server.port": 443,
        "gen_ai.provider.name": "anthropic",
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": r.choice(["claude-sonnet-5", "claude-haiku-5"]),
        "gen_ai.request.max_tokens": 1024,
        "http.request.method": "POST",
        "http.route": "/v1/messages",
        "url.scheme": "https",
        "url.path": "/v1/messages",
        "url.full": "https://api.anthropic.com/v1/messages",
        "http.response.status_code": 500 if failed else 200,
        "anthropic.request.id": f"req_{r.getrandbits(96):024x}",
        "anthropic.organization.id": "00000000-0000-0000-0000-000000000000",
    }
    if failed:
        return asked | {"error.type": "api_error", "http.request.resend_count": 2}
    return asked | {
        "gen_ai.response.id": f"msg_{r.getrandbits(96):024x}",
        "gen_ai.response.model": "claude-sonnet-5",
        "gen_ai.usage.cache_write.input_tokens": 0,
        "gen_ai.usage.cache_read.input_tokens": 0,
        "gen_ai.usage.input_tokens": r.randint(10, 5000),
        "gen_ai.usage.output_tokens": r.randint(1, 1024),
        "anthropic.response.service_tier": "standard",
        "anthropic.message.stop_reason": "end_turn",
    }


def _put(attributes: Any, values: dict[str, Any]) -> None:
    for key, value in values.items():
        form = AnyValue(int_value=value) if isinstance(value, int) else AnyValue(string_value=value)
        attributes.append(KeyValue(key=key, value=form))


def as_json(request: Any) -> bytes:
    """Return a request as OTLP has it in JSON: ids in hex."""
    made = MessageToDict(request)
    for group, source in zip(made["resourceSpans"], request.resource_spans, strict=True):
        for scoped, origin in zip(group["scopeSpans"], source.scope_spans, strict=True):
            for span, said in zip(scoped["spans"], origin.spans, strict=True):
                span |= {"traceId": said.trace_id.hex(), "spanId": said.span_id.hex(), "kind": 3}
                span["status"] = {"code": said.status.code}
    return msgspec.json.encode(made)


def rate(bodies: list[bytes], decode: Callable[[bytes], object], *, batch: int, seconds: float) -> float:
    """Return how many a second are decoded: the median of rounds."""
    rounds = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(rounds) < 3:
        begun = time.perf_counter()
        for body in bodies:
            decode(body)
        rounds.append(batch * len(bodies) / (time.perf_counter() - begun))
    return median(rounds)


def main() -> None:
    """Print the rates and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=2.0)
    asked = parser.parse_args()
    requests = [make_request(asked.batch, seed=i) for i in range(_BODIES)]
    binary = [request.SerializeToString() for request in requests]
    text = [as_json(request) for request in requests]
    now = time.time() + 1

    def take(*, json: bool) -> Callable[[bytes], object]:
        return lambda body: take_spans(body, json=json, received_at=now, app="default")

    events = [take_spans(body, json=False, received_at=now, app="default").batch.body for body in binary]
    decoder = msgspec.json.Decoder(list[Event])
    measured = {
        "msgspec, the events as JSON": rate(events, decoder.decode, batch=asked.batch, seconds=asked.seconds),
        "protobuf -> spans": rate(binary, protobuf.spans, batch=asked.batch, seconds=asked.seconds),
        "protobuf -> batch": rate(binary, take(json=False), batch=asked.batch, seconds=asked.seconds),
        "JSON -> batch": rate(text, take(json=True), batch=asked.batch, seconds=asked.seconds),
    }
    bare = measured["msgspec, the events as JSON"]
    for name, found in measured.items():
        print(f"{name:<30} {found:>10,.0f}/s   {found / bare:.3f} of msgspec")
    print(
        f"bytes a span: protobuf {len(binary[0]) // asked.batch}, JSON {len(text[0]) // asked.batch}, "
        f"the event {len(events[0]) // asked.batch}"
    )


if __name__ == "__main__":
    main()
