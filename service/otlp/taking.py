"""A body -> a batch, with what each event is known by.

≠ HTTP.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
from claxon.event import DEFAULT_APP

from ..decoding import Batch, decode
from ..known import of_event
from . import jsonform, protobuf
from .calls import Call, call_of
from .ours import PLATFORM_SCOPE
from .records import call_of_record, event_of_record
from .twins import merged

PLATFORM_APP = "claude-platform"
"""The app of the API's own spans where the key has none: they do not say which app called."""

_ENCODER = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What came of a body.

    Attributes:
        batch: Its events; a refusal's index is the place of the span or record in the body.
        not_ours: Spans or records that are no calls to Claude.
        twins: Spans that told of a call of which another one of the body tells more.
    """

    batch: Batch
    not_ours: int = 0
    twins: int = 0


def take_spans(body: bytes, *, json: bool, received_at: float, app: str) -> Taken:
    """Return what comes of an ExportTraceServiceRequest.

    Raises:
        BadOtlp: It is none.
        BadBody: It holds too many calls.
    """
    spans = (jsonform.spans if json else protobuf.spans)(body)
    calls = [call for i, span in enumerate(spans) if (call := call_of(span, i)) is not None]
    kept = merged(calls)
    batch = _batch([(call.index, _with_app(call, app), names) for call, names in kept], received_at, app)
    return Taken(batch=batch, not_ours=len(spans) - len(calls), twins=len(calls) - len(kept))


def take_records(body: bytes, *, json: bool, received_at: float, app: str) -> Taken:
    """Return what comes of an ExportLogsServiceRequest.

    Raises:
        BadOtlp: It is none.
        BadBody: It holds too many calls.
    """
    records = (jsonform.records if json else protobuf.records)(body)
    calls = [call for i, record in enumerate(records) if (call := call_of_record(record, i)) is not None]
    kept = merged(calls)
    told = [(call.index, _with_app(call, app), names) for call, names in kept]
    events = [(i, fields) for i, record in enumerate(records) if (fields := event_of_record(record)) is not None]
    rows = sorted([*told, *((i, fields, None) for i, fields in events)], key=lambda row: row[0])
    not_ours = len(records) - len(calls) - len(events)
    return Taken(batch=_batch(rows, received_at, app), not_ours=not_ours, twins=len(calls) - len(kept))


def take_lines(rows: list[tuple[int, dict[str, Any]]], *, received_at: float, app: str) -> Batch:
    """Return the batch of events that stood in log lines, each with its place."""
    return _batch([(i, fields, None) for i, fields in rows], received_at, app)


def _with_app(call: Call, app: str) -> dict[str, Any]:
    if app == DEFAULT_APP and call.span.origin.scope == PLATFORM_SCOPE:
        call.fields["app"] = PLATFORM_APP
    return call.fields


def _batch(rows: list[tuple[int, dict[str, Any], tuple[str, ...] | None]], received_at: float, app: str) -> Batch:
    """Return the batch of some fields, each with its place and its names; without names, those of its event."""
    if not rows:
        return Batch(events=[], body=b"", refusals=[])
    # Once more through JSON: it is the form that is logged, and the check in C is the one that all events pass.
    batch = decode(_ENCODER.encode([fields for _, fields, _ in rows]), ndjson=False, received_at=received_at, app=app)
    refused = {refusal.index for refusal in batch.refusals}
    for refusal in batch.refusals:
        refusal.index = rows[refusal.index][0]
    good = [names for i, (_, _, names) in enumerate(rows) if i not in refused]
    claims = zip(batch.events, good, strict=True)
    batch.claims = {i: of_event(event) if names is None else names for i, (event, names) in enumerate(claims)}
    return batch
