"""A protobuf body -> spans, records.

≠ what they mean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from google.protobuf.message import DecodeError

from .attributes import any_value, read, read_all
from .names import EVENT_NAME
from .span import Attributes, BadOtlp, Origin, Record, Span
from .wire import LogsRequest, SpanEvent, TraceRequest

T = TypeVar("T")


def spans(body: bytes) -> list[Span]:
    """Return the spans of an ExportTraceServiceRequest.

    Raises:
        BadOtlp: It is none.
    """
    return _checked(lambda: list(_spans(TraceRequest.FromString(body))))


def records(body: bytes) -> list[Record]:
    """Return the log records of an ExportLogsServiceRequest.

    Raises:
        BadOtlp: It is none.
    """
    return _checked(lambda: list(_records(LogsRequest.FromString(body))))


def _checked(read_it: Callable[[], T]) -> T:
    try:
        return read_it()
    except (DecodeError, UnicodeDecodeError) as fault:
        raise BadOtlp("body: not valid protobuf: send an OTLP export request, with its Content-Type") from fault


def _spans(request: Any) -> Iterator[Span]:
    for number, group in enumerate(request.resource_spans):
        resource = read(group.resource.attributes)
        for scoped in group.scope_spans:
            origin = Origin(number, resource, scoped.scope.name)
            for span in scoped.spans:
                yield _span(span, origin)


def _span(span: Any, origin: Origin) -> Span:
    status = span.status
    return Span(
        origin=origin,
        attributes=read(span.attributes),
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        kind=span.kind,
        start=span.start,
        end=span.end,
        status=status.code,
        message=status.message,
        exception=_exception(span.events),
    )


def _exception(events: Any) -> Attributes:
    found: Attributes = {}
    for raw in events:
        # Without parsing it: an event of another name may hold a prompt, and there may be a thousand.
        if b"exception" in raw:
            event = SpanEvent.FromString(raw)
            if event.name == "exception":
                found = read(event.attributes)
    return found


def _records(request: Any) -> Iterator[Record]:
    for number, group in enumerate(request.resource_logs):
        resource = read(group.resource.attributes)
        for scoped in group.scope_logs:
            origin = Origin(number, resource, scoped.scope.name)
            for record in scoped.log_records:
                yield _record(record, origin)


def _record(record: Any, origin: Origin) -> Record:
    attributes = read_all(record.attributes)
    name = record.event_name or attributes.get(EVENT_NAME)
    return Record(
        origin=origin,
        attributes=attributes,
        name=name if isinstance(name, str) else "",
        time=record.time or record.observed,
        body=any_value(record.body),
        trace_id=record.trace_id.hex(),
        span_id=record.span_id.hex(),
    )
