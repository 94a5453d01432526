"""A JSON body -> spans, records.

Names in lowerCamelCase, ids in hex, 64-bit integers as strings or numbers; unknown names are ignored, as OTLP says.

≠ what they mean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

import msgspec
from claxon.event import shown

from .attributes import read_pairs
from .names import EVENT_NAME, READ
from .span import Attributes, BadOtlp, Origin, Record, Span

T = TypeVar("T")

_DEEPEST: Final = 32
_KINDS = {"SPAN_KIND_INTERNAL": 1, "SPAN_KIND_SERVER": 2, "SPAN_KIND_CLIENT": 3}
_STATUSES = {"STATUS_CODE_OK": 1, "STATUS_CODE_ERROR": 2}

Number = int | str
"""A 64-bit integer."""


class _Form(msgspec.Struct, rename="camel"):
    pass


class _Value(_Form):
    string_value: str | None = None
    bool_value: bool | None = None
    int_value: Number | None = None
    double_value: float | str | None = None
    array_value: _Values | None = None
    kvlist_value: _Pairs | None = None


class _Pair(_Form):
    key: str = ""
    value: _Value | None = None


class _Values(_Form):
    values: list[_Value] = []


class _Pairs(_Form):
    values: list[_Pair] = []


class _Resource(_Form):
    attributes: list[_Pair] = []


class _Scope(_Form):
    name: str = ""


class _Status(_Form):
    message: str = ""
    code: int | str = 0


class _Event(_Form):
    name: str = ""
    attributes: list[_Pair] = []


class _Span(_Form):
    trace_id: str = ""
    span_id: str = ""
    parent_span_id: str = ""
    kind: int | str = 0
    start_time_unix_nano: Number = 0
    end_time_unix_nano: Number = 0
    attributes: list[_Pair] = []
    events: list[_Event] = []
    status: _Status | None = None


class _ScopeSpans(_Form):
    scope: _Scope | None = None
    spans: list[_Span] = []


class _ResourceSpans(_Form):
    resource: _Resource | None = None
    scope_spans: list[_ScopeSpans] = []


class _TraceRequest(_Form):
    resource_spans: list[_ResourceSpans] = []


class _LogRecord(_Form):
    time_unix_nano: Number = 0
    observed_time_unix_nano: Number = 0
    body: _Value | None = None
    attributes: list[_Pair] = []
    trace_id: str = ""
    span_id: str = ""
    event_name: str = ""


class _ScopeLogs(_Form):
    scope: _Scope | None = None
    log_records: list[_LogRecord] = []


class _ResourceLogs(_Form):
    resource: _Resource | None = None
    scope_logs: list[_ScopeLogs] = []


class _LogsRequest(_Form):
    resource_logs: list[_ResourceLogs] = []


_TRACES = msgspec.json.Decoder(_TraceRequest)
_LOGS = msgspec.json.Decoder(_LogsRequest)
_NOWHERE = _Resource()


def spans(body: bytes) -> list[Span]:
    """Return the spans of an ExportTraceServiceRequest in JSON.

    Raises:
        BadOtlp: It is none.
    """
    return _checked(lambda: list(_spans(_TRACES.decode(body))))


def records(body: bytes) -> list[Record]:
    """Return the log records of an ExportLogsServiceRequest in JSON.

    Raises:
        BadOtlp: It is none.
    """
    return _checked(lambda: list(_records(_LOGS.decode(body))))


def _checked(read_it: Callable[[], T]) -> T:
    try:
        return read_it()
    except RecursionError as fault:
        raise BadOtlp("body: too deeply nested: send an OTLP export request") from fault
    except (msgspec.MsgspecError, UnicodeDecodeError) as fault:
        raise BadOtlp(f"body: not OTLP in JSON: {shown(str(fault), limit=120)}") from fault


def _spans(request: _TraceRequest) -> Iterator[Span]:
    for number, group in enumerate(request.resource_spans):
        resource = _read((group.resource or _NOWHERE).attributes)
        for scoped in group.scope_spans:
            origin = Origin(number, resource, scoped.scope.name if scoped.scope is not None else "")
            for span in scoped.spans:
                yield _span(span, origin)


def _span(span: _Span, origin: Origin) -> Span:
    status = span.status
    exceptions = [event for event in span.events if event.name == "exception"]
    return Span(
        origin=origin,
        attributes=_read(span.attributes),
        trace_id=_id(span.trace_id),
        span_id=_id(span.span_id),
        parent_id=_id(span.parent_span_id),
        kind=_one_of(_KINDS, span.kind),
        start=_integer(span.start_time_unix_nano),
        end=_integer(span.end_time_unix_nano),
        status=_one_of(_STATUSES, status.code) if status is not None else 0,
        message=status.message if status is not None else "",
        exception=_read(exceptions[-1].attributes) if exceptions else {},
    )


def _records(request: _LogsRequest) -> Iterator[Record]:
    for number, group in enumerate(request.resource_logs):
        resource = _read((group.resource or _NOWHERE).attributes)
        for scoped in group.scope_logs:
            origin = Origin(number, resource, scoped.scope.name if scoped.scope is not None else "")
            for record in scoped.log_records:
                yield _record(record, origin)


def _record(record: _LogRecord, origin: Origin) -> Record:
    attributes = {pair.key: _value(pair.value) for pair in record.attributes}
    name = record.event_name or attributes.get(EVENT_NAME)
    return Record(
        origin=origin,
        attributes=attributes,
        name=name if isinstance(name, str) else "",
        time=_integer(record.time_unix_nano) or _integer(record.observed_time_unix_nano),
        body=_value(record.body),
        trace_id=_id(record.trace_id),
        span_id=_id(record.span_id),
    )


def _read(pairs: list[_Pair]) -> Attributes:
    return read_pairs((pair.key, _value(pair.value)) for pair in pairs if pair.key in READ)


def _value(value: _Value | None, depth: int = 0) -> Any:
    if value is None or depth > _DEEPEST:
        return None
    if value.string_value is not None:
        return value.string_value
    if value.int_value is not None:
        return _integer(value.int_value)
    if value.bool_value is not None:
        return value.bool_value
    if value.double_value is not None:
        return _double(value.double_value)
    if value.array_value is not None:
        return [_value(item, depth + 1) for item in value.array_value.values]
    if value.kvlist_value is not None:
        return {pair.key: _value(pair.value, depth + 1) for pair in value.kvlist_value.values}
    return None


def _integer(said: Number) -> int:
    """Return a 64-bit integer.

    Raises:
        BadOtlp: It is none.
    """
    if isinstance(said, str):
        # Short, for Python takes its time over a million digits.
        if len(said) > 20 or not said.lstrip("-").isdecimal() or not said.isascii():
            raise BadOtlp(f"body: {shown(said)}: a 64-bit integer is a string of digits or a number")
        said = int(said)
    if not -(2**63) <= said < 2**64:
        raise BadOtlp(f"body: {shown(said)}: over 64 bits")
    return said


def _double(said: float | str) -> float | None:
    # "NaN" and "Infinity" are strings in JSON, and no number that an event has.
    return said if isinstance(said, float) else None


def _one_of(named: dict[str, int], said: int | str) -> int:
    return named.get(said, 0) if isinstance(said, str) else said


def _id(said: str) -> str:
    return said[:64].lower()
