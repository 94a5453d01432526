"""A log record -> the fields of an event.

Two kinds of records are understood: Claxon's own events (the client's log lines, or a hand-written line with the same
fields), as a map or as JSON in the body, or as attributes; and the GenAI conventions' events about a call.

≠ where a record came from.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec
from claxon.event import FIELDS

from .attributes import read_pairs
from .calls import Call, call_of, origin_of
from .names import EVENT_NAME
from .span import CLIENT, ERROR, Record, Span

OWN_NAME = "claude.attempt"
"""The client's lines have it as their message."""

_GENAI = frozenset({"gen_ai.client.inference.operation.details", "gen_ai.client.operation.exception"})
_NAMES = ("event", "message", "msg", "event_name", EVENT_NAME)
_EVIDENCE = frozenset(
    {"status", "error_type", "attempt", "tokens", "max_tokens", "input_tokens", "output_tokens", "duration_ms"}
    | {"final", "exhausted", "request_id", "call_id", "stop_reason", "stream_end"}
)
"""Fields one of which a line has that is about a call, beside its model."""

_LONGEST = 64 * 1024
_Zoned = Annotated[datetime, msgspec.Meta(tz=True)]
_decode = msgspec.json.Decoder(dict[str, Any]).decode


def call_of_record(record: Record, index: int) -> Call | None:
    """Return the call that one of the conventions' events is about; None if it is none, or not of Claude."""
    if record.name not in _GENAI:
        return None
    attributes = read_pairs(record.attributes.items())
    failed = "error_type" in attributes or "exception_type" in attributes
    span = Span(
        origin=record.origin,
        attributes=attributes,
        trace_id=record.trace_id,
        span_id=record.span_id,
        kind=CLIENT,
        end=record.time,
        status=ERROR if failed else 0,
        exception=attributes,
    )
    return call_of(span, index)


def event_of_record(record: Record) -> dict[str, Any] | None:
    """Return the fields of the event that a record is; None if it is none."""
    found = _event_in(record)
    if found is None:
        return None
    fields = {name: value for name, value in found.items() if name in FIELDS}
    if record.time and _instant(fields.get("time")) is None:
        fields["time"] = record.time / 1e9
    told = {"trace_id": record.trace_id[:64], "span_id": record.span_id[:32]} | origin_of(record.origin)
    for name, value in told.items():
        if value and not fields.get(name):
            fields[name] = value
    return fields


def _instant(said: Any) -> Any:
    # A log line's `time` may be a clock's text without a zone: the record's own is better.
    if isinstance(said, str):
        try:
            return msgspec.convert(said, _Zoned)
        except msgspec.ValidationError:
            return None
    return said


def _event_in(record: Record) -> dict[str, Any] | None:
    own = record.name == OWN_NAME or record.body == OWN_NAME
    for found in (line_of(record.body), record.attributes):
        if found is not None and is_event(found, own=own):
            return found
    return None


def line_of(body: Any) -> dict[str, Any] | None:
    """Return the map that a body is, or that its JSON says; None if neither."""
    if isinstance(body, dict):
        return body
    if not isinstance(body, str) or len(body) > _LONGEST or not body.lstrip().startswith("{"):
        return None
    try:
        return _decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return None


def is_event(found: dict[str, Any], *, own: bool = False) -> bool:
    """Return whether a map is an event: it is named so, or it has a Claude model and something about a call."""
    model = found.get("model")
    if not isinstance(model, str):
        return False
    if own or any(found.get(name) == OWN_NAME for name in _NAMES):
        return True
    return "claude" in model.lower() and not _EVIDENCE.isdisjoint(found)
