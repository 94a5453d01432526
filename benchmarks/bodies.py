"""Bodies: the same records as JSON, as zstd, and as OTLP spans; and what msgspec alone makes of them.

The records are those of benchmarks.records. As spans they have the attributes that the SDK's own tracing sets, and the
attempt.
"""

from __future__ import annotations

import json
import struct
import time
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import zstandard
from claxon.event import Event

from benchmarks.records import make_events
from benchmarks.sending import request

Record = dict[str, Any]

JSON = {"Content-Type": "application/json"}
ZSTD = JSON | {"Content-Encoding": "zstd"}
PROTOBUF = {"Content-Type": "application/x-protobuf"}


def batches(records: Sequence[Record], batch: int) -> Iterator[Sequence[Record]]:
    """Yield the records, so many at once."""
    for start in range(0, len(records), batch):
        yield records[start : start + batch]


def json_bodies(records: Sequence[Record], batch: int) -> list[bytes]:
    """Return JSON arrays."""
    return [json.dumps(many).encode() for many in batches(records, batch)]


def zstd_body(body: bytes) -> bytes:
    """Return a body as the client sends it, and the service keeps it."""
    return bytes(zstandard.ZstdCompressor(level=3, write_checksum=True).compress(body))


def json_requests(n: int, batch: int, *, port: int, zstd: bool = False, seed: int = 1) -> list[bytes]:
    """Return requests to POST /v1/events that hold n events in all."""
    bodies = json_bodies(make_events(n, seed=seed), batch)
    if zstd:
        return [request("/v1/events", zstd_body(body), ZSTD, port=port) for body in bodies]
    return [request("/v1/events", body, JSON, port=port) for body in bodies]


def bare_decode_rate(bodies: Sequence[bytes], events: int, *, seconds: float = 1.0) -> float:
    """Return events per second that msgspec alone decodes of bodies that hold so many in all."""
    decoder = msgspec.json.Decoder(list[Event])
    rounds, begin = 0, time.perf_counter()
    while (passed := time.perf_counter() - begin) < seconds:
        for body in bodies:
            decoder.decode(body)
        rounds += 1
    return rounds * events / passed


# ── OTLP, by the wire format of protocol buffers: (field << 3 | type), then the value ─────────────


def otlp_body(records: Sequence[Record]) -> bytes:
    """Return an ExportTraceServiceRequest: one CLIENT span a record, each a trace of its own."""
    scope = _bytes(1, b"com.anthropic.sdk.python")
    resource = _bytes(1, _attribute("service.name", "bench") + _attribute("telemetry.sdk.language", "python"))
    spans = _bytes(1, scope) + b"".join(_bytes(2, _span(record)) for record in records)
    return _bytes(1, resource + _bytes(2, spans))


def _span(record: Record) -> bytes:
    end = int(record["time"] * 1e9)
    begin = end - int(record["duration_ms"] * 1e6)
    failed = record["error_type"] is not None
    attributes: dict[str, str | int] = {
        "server.address": "api.anthropic.com",
        "server.port": 443,
        "gen_ai.provider.name": "anthropic",
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": record["model"],
        "gen_ai.request.max_tokens": record["tokens"],
        "http.request.method": "POST",
        "url.path": record["path"],
        "gen_ai.response.model": record["model"],
        "gen_ai.response.id": f"msg_{record['trace_id'][:24]}",
        "gen_ai.usage.input_tokens": record["input_tokens"],
        "gen_ai.usage.output_tokens": record["output_tokens"],
        "anthropic.request.id": record["request_id"],
        "http.response.status_code": record["status"],
        "claxon.attempt": record["attempt"],
        "claxon.attempts.max": record["max_attempts"],
    }
    if failed:
        attributes["error.type"] = record["error_type"]
    return b"".join(
        (
            _bytes(1, bytes.fromhex(record["trace_id"])),
            _bytes(2, bytes.fromhex(record["call_id"][:16])),
            _bytes(5, b"anthropic.messages.create"),
            _number(6, 3),
            _fixed64(7, begin),
            _fixed64(8, end),
            *(_attribute(name, value, field=9) for name, value in attributes.items()),
            _bytes(15, _number(3, 2 if failed else 1)),
        )
    )


def _attribute(name: str, value: str | int, *, field: int = 1) -> bytes:
    said = _bytes(1, value.encode()) if isinstance(value, str) else _number(3, value)
    return _bytes(field, _bytes(1, name.encode()) + _bytes(2, said))


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    found.append(number)
    return bytes(found)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _fixed64(field: int, value: int) -> bytes:
    return _varint(field << 3 | 1) + struct.pack("<Q", value)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value
