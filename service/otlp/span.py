"""Span and Record: what the protobuf form and the JSON form both come to.

≠ which of the two it was.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec

from ..expanding import BadBody

Attributes: TypeAlias = dict[str, Any]
"""What is kept of attributes, by our names (names.py)."""

INTERNAL, SERVER, CLIENT = 1, 2, 3
"""Kinds of spans; others do not matter here."""

ERROR = 2
"""The status of a span that failed; 0 is unset, 1 is OK."""


class BadOtlp(BadBody):
    """A body that is not OTLP; the text is *where: value: remedy*."""


class Origin(msgspec.Struct, frozen=True, gc=False):
    """Who sent a span.

    Attributes:
        number: Tells the resources of one body apart.
        resource: What is kept of its attributes.
        scope: The name of the instrumentation.
    """

    number: int
    resource: Attributes
    scope: str


class Span(msgspec.Struct, gc=False):
    """One span.

    Attributes:
        trace_id: Hex; "" if it has none. `span_id` and `parent_id` likewise.
        start: Unix nanoseconds; 0 if it does not say. `end` likewise.
        status: 0, 1 or 2.
        message: The status's text. For `errors` only: it may quote the prompt.
        exception: What is kept of the newest exception event.
    """

    origin: Origin
    attributes: Attributes
    trace_id: str = ""
    span_id: str = ""
    parent_id: str = ""
    kind: int = 0
    start: int = 0
    end: int = 0
    status: int = 0
    message: str = ""
    exception: Attributes = {}


class Record(msgspec.Struct, gc=False):
    """One log record.

    Attributes:
        name: Its event name; "" if it has none.
        time: Unix nanoseconds; 0 if it does not say.
        body: Any value.
        attributes: All of them, as they are named.
    """

    origin: Origin
    attributes: dict[str, Any]
    name: str = ""
    time: int = 0
    body: Any = None
    trace_id: str = ""
    span_id: str = ""
