"""A span -> the fields of an event (docs/reference/otlp.md).

What an event gets is named here, one by one; there is no loop that copies what is found. Texts that a person may have
written (messages of errors, names of spans) are never among it.
"""

from __future__ import annotations

from typing import Any

import msgspec
from claxon.event import DEFAULT_PATH, StreamEnd
from claxon.taxonomy import Category

from .errors import Failure, failure_of
from .ours import PLATFORM_SCOPE, SDK_SCOPE, is_ours
from .span import SERVER, Attributes, Origin, Span

NO_MODEL = "none"
"""The model of a request that names none, as the client has it."""

_AS_IT_IS = ("request_id", "max_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")
_EVIDENCE = ("workspace_id", "organization_id")
_BEGUN = ("message_id", "first_chunk_s", "output_tokens")
_CUT_OFF = frozenset({Category.CONNECTION, Category.TIMEOUT})
_UNNAMED = "unknown_service"


class Call(msgspec.Struct, gc=False):
    """One call as a span tells of it.

    Attributes:
        index: The span's place in its body.
        fields: An event's.
        message_id: Of the API's answer.
        whole: Whether it may be the same call as the span around it, or as one inside; the API's own view of an
            attempt is not.
    """

    index: int
    fields: dict[str, Any]
    message_id: str | None
    whole: bool
    span: Span


def call_of(span: Span, index: int) -> Call | None:
    """Return the call that a span stands for; None if it is none of Claude's."""
    if not is_ours(span):
        return None
    attributes = span.attributes
    by_api = span.kind == SERVER
    fields: dict[str, Any] = {
        "model": attributes.get("model", NO_MODEL),
        "path": attributes.get("path") or attributes.get("operation", DEFAULT_PATH),
    }
    if "resent" in attributes:
        fields["attempt"] = min(attributes["resent"], 999_999) + 1
    for name in _AS_IT_IS:
        if name in attributes:
            fields[name] = attributes[name]
    fields |= origin_of(span.origin)
    _put_times(fields, span)
    _put_ids(fields, span, by_api=by_api)
    _put_input(fields, attributes)
    failure = failure_of(span)
    if failure is None:
        _put_success(fields, span)
    else:
        _put_failure(fields, attributes, failure)
        if not by_api:
            # The SDK has spent its retries before it ends the span.
            fields["final"] = True
    return Call(index, fields, attributes.get("message_id"), not by_api and bool(span.span_id), span)


def origin_of(origin: Origin) -> dict[str, str]:
    """Return the app and the environment that a resource names; no app where that is a default, or the API itself."""
    found: dict[str, str] = {}
    app = origin.resource.get("service")
    if app is not None and not app.startswith(_UNNAMED) and origin.scope != PLATFORM_SCOPE:
        found["app"] = app[:64]
    if (environment := origin.resource.get("environment")) is not None:
        found["environment"] = environment[:64]
    return found


def _put_times(fields: dict[str, Any], span: Span) -> None:
    if span.end:
        fields["time"] = span.end / 1e9
        lasted = (span.end - span.start) / 1e6 if span.start else 0.0
        if lasted <= 0.0:
            lasted = span.attributes.get("duration_s", 0.0) * 1000
        if lasted > 0.0:
            fields["duration_ms"] = lasted
    if (waited := span.attributes.get("first_chunk_s")) is not None:
        fields["time_to_first_token_ms"] = round(waited * 1000, 3)


def _put_ids(fields: dict[str, Any], span: Span, *, by_api: bool) -> None:
    if span.trace_id and span.span_id:
        trace_id, span_id = span.trace_id[:64], span.span_id[:32]
        fields["trace_id"], fields["span_id"] = trace_id, span_id
        # What the API sees is one attempt of the call whose span is around it.
        fields["call_id"] = f"{trace_id}:{span.parent_id[:32] if by_api and span.parent_id else span_id}"
    evidence = {name: span.attributes[name] for name in _EVIDENCE if name in span.attributes}
    if evidence:
        fields["attributes"] = evidence


def _put_input(fields: dict[str, Any], attributes: Attributes) -> None:
    total = attributes.get("input_tokens")
    if total is not None:
        cached = attributes.get("cache_read_tokens", 0) + attributes.get("cache_write_tokens", 0)
        # The conventions count cached tokens in; the API, and so an event, does not.
        fields["input_tokens"] = total - cached if total >= cached else total


def _put_success(fields: dict[str, Any], span: Span) -> None:
    attributes = span.attributes
    if "stop_reason" in attributes:
        fields["stop_reason"] = attributes["stop_reason"]
    if not span.origin.scope.startswith(SDK_SCOPE):
        fields["status"] = 200
        return
    status = attributes.get("status")
    if status is not None:
        fields["status"] = status
    if span.status == 0:
        # The SDK leaves the status unset where the app gave up, and only there.
        fields.update({"stream_end": StreamEnd.CLOSED.value} if status is not None else {"error_type": "cancelled"})
    elif attributes.get("stream"):
        fields["stream_end"] = StreamEnd.COMPLETE.value


def _put_failure(fields: dict[str, Any], attributes: Attributes, failure: Failure) -> None:
    status, kind = failure.status, failure.type
    # What failed after the answer had begun was a stream.
    if status < 300 if status is not None else any(name in attributes for name in _BEGUN):
        status = status or 200
        if kind == "client_error" and not attributes.get("stream"):
            kind = Category.BAD_RESPONSE.value
        elif failure.category is not Category.CANCELLED:
            # The SDK for TypeScript calls a stream that was cut off a client_error.
            cut = failure.category in _CUT_OFF or kind == "client_error"
            fields["stream_end"] = (StreamEnd.TRANSPORT_ERROR if cut else StreamEnd.ERROR_EVENT).value
    fields["error_type"] = kind
    if status is not None:
        fields["status"] = status
    if failure.code is not None:
        fields["error_code"] = failure.code
    if failure.request_id is not None:
        fields.setdefault("request_id", failure.request_id)
