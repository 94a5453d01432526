"""Blocks -> events, fast: everything in C that can be, checked as strictly as the service checks.

An event of a log has the fields of `Event`, with the same limits. What is derived for a plain success is there when it
is decoded: its instant is read straight into `at`, and the rest are the defaults; only the others are completed. What
the service mends (a null, a missing time, a secret) does not decode here, and is read one by one. ≠ files, lines.
"""

from __future__ import annotations

from math import inf
from typing import Annotated, Any, cast

import msgspec
from claxon.event import DEFAULT_APP, Event, EventError, Instant, StreamEnd, complete
from msgspec import Meta

LATEST = 1e11
"""No event is later, Unix seconds: what is beyond is milliseconds."""

FAULTS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, EventError)
"""What says that a block holds something that is not a good event, or that must be mended."""

Seconds = Annotated[float, Meta(le=LATEST)]
_COMPLETE = StreamEnd.COMPLETE


def _event_type(*, ids: bool, words: bool) -> type[Event]:
    """Return an event that must say when; unknown fields are passed over, as the service drops them.

    Args:
        ids: Whether it may have an `event_id`.
        words: Whether its time may be a text.
    """
    fields: list[Any] = []
    for known in msgspec.structs.fields(Event):
        name, kind, given = known.name, known.type, known.default
        if name in ("time", "at"):
            continue
        if name == "event_id" and not ids:
            kind = None
        if name == "app":
            given = DEFAULT_APP
        if known.required:
            fields.append((name, kind))
            # Where apps write it: fields are looked for in this order.
            fields += _when(words=words)
        else:
            fields.append((name, kind, msgspec.field(default=given, name=known.encode_name)))
    made = msgspec.defstruct("LoggedEvent", fields, kw_only=True, gc=False)
    return cast("type[Event]", made)


def _when(*, words: bool) -> list[Any]:
    if words:
        return [("time", Instant | Seconds), ("at", float, msgspec.field(default=0.0, name="_at"))]
    return [
        ("at", Seconds, msgspec.field(name="time")),
        ("time", Instant | float | None, msgspec.field(default=None, name="_time")),
    ]


class BlockDecoder:
    """Decodes the blocks of one file; it begins with the narrowest type that fitted the last one.

    Attributes:
        latest: The latest instant in it so far, Unix seconds.
    """

    def __init__(self) -> None:
        self.latest = -inf
        self._narrowest = 0

    def decode(self, text: bytes | memoryview) -> list[Event]:
        """Return the completed events of a block.

        Raises:
            One of `FAULTS`: Not all of them are good as they are.
        """
        for place in range(self._narrowest, _WIDEST):
            try:
                events = _DECODERS[place].decode_lines(text)
            except FAULTS:
                continue
            self._narrowest = place
            return self._finished(events)
        events = _DECODERS[_WIDEST].decode_lines(text)
        self._narrowest = _WIDEST
        for event in events:
            event.at = _at(event)
        return self._finished(events)

    def _finished(self, events: list[Event]) -> list[Event]:
        latest = self.latest
        for event in events:
            at = event.at
            if at > latest:
                latest = at
            # A plain success, the first attempt of its call: nothing is left to derive or to check.
            if (
                event.status == 200
                and event.error_type is None
                and event.error_code is None
                and event.attempt == 1
                and (event.stream_end is None or event.stream_end is _COMPLETE)
            ):
                continue
            event.time = at
            complete(event, received_at=LATEST)
        self.latest = latest
        return events


def _at(event: Event) -> float:
    time = event.time
    if isinstance(time, float):
        return time
    assert time is not None
    at = time.timestamp()
    if at > LATEST:
        # It says what is wrong with it.
        complete(event, received_at=LATEST)
    return at


_DECODERS = [
    msgspec.json.Decoder(_event_type(ids=False, words=False)),
    msgspec.json.Decoder(_event_type(ids=True, words=False)),
    msgspec.json.Decoder(_event_type(ids=True, words=True)),
]
_WIDEST = len(_DECODERS) - 1
