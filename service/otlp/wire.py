"""The protobuf messages of OTLP, as far as they are read here.

Written down here rather than taken from a package of stubs, for one reason: an attribute is left as the
bytes it came in. Most are never looked at, and those that are repeat, so that a table answers for them
(attributes.py); with a message for each attribute a span costs four times as much.

Source:
    opentelemetry-proto 1.9, `trace.proto`, `logs.proto`, `common.proto`; `google/rpc/status.proto`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_F = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "string": _F.TYPE_STRING,
    "bytes": _F.TYPE_BYTES,
    "bool": _F.TYPE_BOOL,
    "int32": _F.TYPE_INT32,
    "int64": _F.TYPE_INT64,
    "double": _F.TYPE_DOUBLE,
    "fixed64": _F.TYPE_FIXED64,
}

# Field by number. `*` is repeated; `|` is a member of the message's oneof. A KeyValue is `bytes` wherever it is
# read attribute by attribute, and a message only inside a value.
_MESSAGES: dict[str, dict[int, str]] = {
    "AnyValue": {
        1: "|string string_value",
        2: "|bool bool_value",
        3: "|int64 int_value",
        4: "|double double_value",
        5: "|ArrayValue array_value",
        6: "|KeyValueList kvlist_value",
        7: "|bytes bytes_value",
    },
    "ArrayValue": {1: "*AnyValue values"},
    "KeyValueList": {1: "*KeyValue values"},
    "KeyValue": {1: "string key", 2: "AnyValue value"},
    "Resource": {1: "*bytes attributes"},
    "Scope": {1: "string name"},
    "SpanStatus": {2: "string message", 3: "int32 code"},
    "SpanEvent": {2: "string name", 3: "*bytes attributes"},
    "Span": {
        1: "bytes trace_id",
        2: "bytes span_id",
        4: "bytes parent_span_id",
        5: "string name",
        6: "int32 kind",
        7: "fixed64 start",
        8: "fixed64 end",
        9: "*bytes attributes",
        11: "*bytes events",
        15: "SpanStatus status",
    },
    "ScopeSpans": {1: "Scope scope", 2: "*Span spans"},
    "ResourceSpans": {1: "Resource resource", 2: "*ScopeSpans scope_spans"},
    "TraceRequest": {1: "*ResourceSpans resource_spans"},
    "LogRecord": {
        1: "fixed64 time",
        5: "bytes body",
        6: "*bytes attributes",
        9: "bytes trace_id",
        10: "bytes span_id",
        11: "fixed64 observed",
        12: "string event_name",
    },
    "ScopeLogs": {1: "Scope scope", 2: "*LogRecord log_records"},
    "ResourceLogs": {1: "Resource resource", 2: "*ScopeLogs scope_logs"},
    "LogsRequest": {1: "*ResourceLogs resource_logs"},
    # The two answers differ only in the name of the first number.
    "PartialSuccess": {1: "int64 rejected", 2: "string error_message"},
    "Answer": {1: "PartialSuccess partial_success"},
    "Status": {1: "int32 code", 2: "string message"},
}


def compiled(package: str, messages: Mapping[str, Mapping[int, str]]) -> dict[str, Any]:
    """Return the classes of messages that are written down as those above are."""
    file = descriptor_pb2.FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto3")
    for name, fields in messages.items():
        message = file.message_type.add(name=name)
        for number, text in fields.items():
            _add_field(message, number, text, package)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    found = {name: pool.FindMessageTypeByName(f"{package}.{name}") for name in messages}
    return {name: message_factory.GetMessageClass(descriptor) for name, descriptor in found.items()}


def _add_field(message: Any, number: int, text: str, package: str) -> None:
    kind, _, name = text.lstrip("*|").partition(" ")
    field = message.field.add(name=name, number=number)
    field.label = _F.LABEL_REPEATED if text.startswith("*") else _F.LABEL_OPTIONAL
    if text.startswith("|"):
        if not message.oneof_decl:
            message.oneof_decl.add(name="value")
        field.oneof_index = 0
    if (scalar := _SCALARS.get(kind)) is not None:
        field.type = scalar
    else:
        field.type, field.type_name = _F.TYPE_MESSAGE, f".{package}.{kind}"


_classes = compiled("claxon.otlp", _MESSAGES)

TraceRequest: Any = _classes["TraceRequest"]
LogsRequest: Any = _classes["LogsRequest"]
SpanEvent: Any = _classes["SpanEvent"]
AnyValue: Any = _classes["AnyValue"]
KeyValue: Any = _classes["KeyValue"]
Answer: Any = _classes["Answer"]
Status: Any = _classes["Status"]
