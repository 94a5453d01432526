"""Builders of OTLP requests: spans as the anthropic SDK and others send them, in protobuf and in JSON."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList

from tests.support.running import Answer, Client

PROTOBUF = "application/x-protobuf"
SDK = "com.anthropic.sdk.python"
_ids = itertools.count(1)


def value(of: Any) -> AnyValue:
    """Return an AnyValue."""
    if isinstance(of, bool):
        return AnyValue(bool_value=of)
    if isinstance(of, int):
        return AnyValue(int_value=of)
    if isinstance(of, float):
        return AnyValue(double_value=of)
    if isinstance(of, str):
        return AnyValue(string_value=of)
    if isinstance(of, Mapping):
        return AnyValue(kvlist_value=KeyValueList(values=pairs(of)))
    return AnyValue(array_value=ArrayValue(values=[value(item) for item in of]))


def pairs(of: Mapping[str, Any]) -> list[KeyValue]:
    """Return attributes."""
    return [KeyValue(key=name, value=value(part)) for name, part in of.items()]


def span_id(number: int) -> bytes:
    """Return the id of a span, or with 16 bytes of a trace."""
    return number.to_bytes(8, "big")


def sdk_attributes(**more: Any) -> dict[str, Any]:
    """Return what the SDK's own span has of a call that went well; `_` stands for the dots."""
    number = next(_ids)
    return {
        "gen_ai.provider.name": "anthropic",
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "claude-sonnet-5",
        "url.path": "/v1/messages",
        "http.response.status_code": 200,
        "anthropic.request.id": f"req_{number:08}",
        "gen_ai.response.id": f"msg_{number:08}",
    } | more


def span(
    attributes: Mapping[str, Any],
    *,
    number: int | None = None,
    trace: int = 1,
    parent: int | None = None,
    kind: int = 3,
    status: int = 1,
    ago_s: float = 0.0,
    lasted_s: float = 0.1,
    name: str = "anthropic.messages.create",
) -> dict[str, Any]:
    """Return a span as `traces` takes it."""
    end = time.time_ns() - int(ago_s * 1e9)
    return {
        "trace_id": span_id(trace) * 2,
        "span_id": span_id(next(_ids) + 1000 if number is None else number),
        "parent_span_id": span_id(parent) if parent is not None else b"",
        "name": name,
        "kind": kind,
        "start_time_unix_nano": end - int(lasted_s * 1e9),
        "end_time_unix_nano": end,
        "status": {"code": status},
        "attributes": pairs(attributes),
    }


def traces(
    *spans: Mapping[str, Any], scope: str = SDK, service: str = "shop", more: Sequence[tuple[str, Any]] = ()
) -> bytes:
    """Return an ExportTraceServiceRequest of the spans of one scope, and of others: (scope, span)."""
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    group.resource.attributes.extend(pairs({"service.name": service, "deployment.environment.name": "test"}))
    for name, held in ((scope, spans), *((name, [one]) for name, one in more)):
        scoped = group.scope_spans.add()
        scoped.scope.name = name
        for one in held:
            scoped.spans.add(**one)
    return request.SerializeToString()


def logs(*records: Mapping[str, Any], service: str = "shop") -> bytes:
    """Return an ExportLogsServiceRequest: of each record `body`, `attributes`, `event_name`, `time`, ids."""
    request = ExportLogsServiceRequest()
    group = request.resource_logs.add()
    group.resource.attributes.extend(pairs({"service.name": service, "deployment.environment": "test"}))
    scoped = group.scope_logs.add()
    for record in records:
        scoped.log_records.add(
            time_unix_nano=record.get("time", time.time_ns()),
            body=value(record["body"]) if "body" in record else None,
            attributes=pairs(record.get("attributes", {})),
            event_name=record.get("event_name", ""),
            trace_id=record.get("trace_id", b""),
            span_id=record.get("span_id", b""),
        )
    return request.SerializeToString()


def json_traces(*attributes: Mapping[str, Any], status: int = 1, scope: str = SDK) -> bytes:
    """Return a request in JSON, as the exporters in JavaScript write it."""
    now = time.time_ns()
    spans = [
        {
            "traceId": f"{number:032x}",
            "spanId": f"{number:016x}",
            "name": "anthropic.messages.create",
            "kind": 3,
            "startTimeUnixNano": str(now - 10**8),
            "endTimeUnixNano": str(now),
            "attributes": [{"key": name, "value": _json_value(said)} for name, said in found.items()],
            "status": {"code": status},
            "droppedAttributesCount": 0,
            "flags": 257,
        }
        for number, found in zip(_ids, attributes, strict=False)
    ]
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]}
    scopes = [{"scope": {"name": scope, "version": "1"}, "spans": spans}]
    return json.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": scopes}]}).encode()


def _json_value(said: Any) -> dict[str, Any]:
    if isinstance(said, bool):
        return {"boolValue": said}
    if isinstance(said, int):
        return {"intValue": str(said)}
    if isinstance(said, float):
        return {"doubleValue": said}
    return (
        {"stringValue": said} if isinstance(said, str) else {"arrayValue": {"values": [_json_value(i) for i in said]}}
    )


def send(to: Client, body: bytes, *, path: str = "/v1/traces", kind: str = PROTOBUF, **headers: str) -> Answer:
    """Post a body; headers with `_` for `-`."""
    named = {name.replace("_", "-"): said for name, said in headers.items()}
    return to.request("POST", path, body, {"Content-Type": kind} | named)
