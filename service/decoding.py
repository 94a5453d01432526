"""Bytes -> events: decompress, decode, check, refuse one by one.

≠ HTTP, storage.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

import msgspec
from claxon.event import FIELDS, MAX_MESSAGE, Event, EventError, RateLimits, complete, complete_all, shown

from .aliases import read_aliases
from .expanding import MAX_BODY, BadBody, BodyTooLarge, EmptyBody, UnknownEncoding, expand
from .rejects import MOST_OF_A_BATCH, NotJson, NotObject, Reject, TooLong, reason_of, reject_of
from .splitting import MAX_EVENTS, check_size, items, plain, without_bom

__all__ = [
    "MAX_BODY",
    "MAX_EVENTS",
    "BadBody",
    "Batch",
    "BodyTooLarge",
    "Refusal",
    "UnknownEncoding",
    "decode",
    "decode_fast",
    "decode_logged",
    "decode_one",
    "expand",
    "take_each",
]

MAX_EVENT = 1024 * 1024
"""Bytes of one event that is not as it should be: it may hold fields that are dropped, but not any number."""

_ARRAY = msgspec.json.Decoder(list[Event])
_ANY = msgspec.json.Decoder()
_ENCODER = msgspec.json.Encoder()
_PATH = re.compile(r" - at `(?:key in )?\$\.?([^`]*)`")
_KNOWN = frozenset(FIELDS)
_LIMIT_NAMES = frozenset(RateLimits.__struct_fields__)
# Half as long again takes a search for the same bytes by `in`.
_SECRET = re.compile(rb"sk-ant-")

CUT = {"error_message": MAX_MESSAGE, "error_type": 200, "error_code": 200}
"""Characters of a field that are kept: an error is not refused for its length."""

MAX_ATTRIBUTE = 500
MAX_ATTRIBUTE_NAME = 64
"""Characters of an attribute that are kept."""


class Refusal(msgspec.Struct):
    """Why one event of a batch was not taken."""

    index: int
    error: str


class Batch(msgspec.Struct):
    """What a body held.

    Attributes:
        events: Completed, in order, the good ones only.
        body: A JSON array of just these, as they are logged.
        refusals: The others.
        dropped_fields: Fields that no event has, left out.
        claims: What makes an event one that is known already, by its place in `events`: if any of these was noted
            before, within a day, the event is left out; all of them are noted. Beside the events' own `event_id`.
        others: The places in `events` of those that are more than a plain success.
        stored: `body` as the log keeps it, where that is made already.
        rejects: What is kept of the first few of the others.
        reasons: How many of the others there are, by `Reason`.
    """

    events: list[Event]
    body: bytes
    refusals: list[Refusal]
    dropped_fields: int = 0
    claims: dict[int, tuple[str, ...]] = {}
    others: list[int] = []
    stored: bytes = b""
    rejects: list[Reject] = []
    reasons: dict[str, int] = {}


def decode(body: bytes, *, ndjson: bool, received_at: float, app: str) -> Batch:
    """Return the events of a body: a JSON object, an array, or one object a line.

    Args:
        body: Not compressed.
        ndjson: Whether it was announced as lines; a body that holds several lines of objects is read so anyway.
        received_at: When it arrived, Unix seconds.
        app: The app of events that name none.

    Raises:
        BadBody: It is no JSON, or neither object nor array, or holds too many events.
    """
    text = body.strip()
    if not text:
        raise EmptyBody("body: empty: send a JSON object, an array of them, or one a line")
    check_size(text)
    if (batch := decode_fast(text, received_at, app)) is not None:
        return batch
    text = without_bom(text)
    return take_each(map(_found, items(text, ndjson=ndjson)), received_at=received_at, app=app)


def decode_logged(body: bytes, *, received_at: float, app: str, skip: list[int]) -> list[Event]:
    """Return the events of a logged batch, completed just as when they arrived."""
    try:
        events = _ARRAY.decode(body)
    except msgspec.ValidationError:
        # An older Claxon took what is cut, or refused, today.
        events = [_event_anyhow(_ANY.decode(item)) for item in items(body, ndjson=False)]
    if skip:
        left_out = set(skip)
        events = [event for i, event in enumerate(events) if i not in left_out]
    # None is refused: just these were taken when they arrived.
    complete_all(events, received_at=received_at, default_app=app)
    return events


def decode_fast(text: bytes, received_at: float, app: str) -> Batch | None:
    """Return the batch if every event is good and has only known fields: the usual case, all of it in C.

    Args:
        text: An array, without space around it; anything else is None.
        received_at: When it arrived, Unix seconds.
        app: The app of events that name none.
    """
    if not text.startswith(b"[") or _SECRET.search(text) is not None:
        return None
    try:
        events = _ARRAY.decode(text)
        if not 0 < len(events) <= MAX_EVENTS:
            return None
        refused, others = complete_all(events, received_at=received_at, default_app=app)
        if refused:
            return None
    except (msgspec.MsgspecError, EventError, UnicodeDecodeError, RecursionError):
        return None
    return Batch(events=events, body=text, refusals=[], others=others)


def take_each(found: Iterable[dict[str, Any] | EventError], *, received_at: float, app: str) -> Batch:
    """Return what one finds in a body that is not JSON events, event by event.

    Args:
        found: The fields of an event, unknown ones too, or why it is none; in the order of the body.
        received_at: When it arrived, Unix seconds.
        app: The app of events that name none.
    """
    batch = Batch(events=[], body=b"", refusals=[])
    kept: list[dict[str, Any]] = []
    reasons: Counter[str] = Counter()
    for index, item in enumerate(found):
        fields: dict[str, Any] = {}
        try:
            if isinstance(item, EventError):
                raise item
            fields, dropped = _known_fields(item)
            event = complete(_event(fields, item), received_at=received_at, default_app=app)
        except EventError as fault:
            batch.refusals.append(Refusal(index, str(fault)))
            reasons[reason_of(fault).value] += 1
            if len(batch.rejects) < MOST_OF_A_BATCH:
                batch.rejects.append(reject_of(index, fault, fields))
            continue
        batch.dropped_fields += dropped
        batch.events.append(event)
        kept.append(fields)
    batch.reasons = dict(reasons)
    batch.body = _ENCODER.encode(kept)
    batch.others = list(range(len(kept)))
    return batch


def decode_one(item: bytes) -> Event:
    """Return one event as it would be taken: redacted, without nulls and unknown fields; not completed.

    Raises:
        EventError: It is no event.
    """
    found = _object(item)
    return _event(_known_fields(found)[0], found)


def _found(item: bytes) -> dict[str, Any] | EventError:
    try:
        return _object(item)
    except EventError as fault:
        return fault


def _object(item: bytes) -> dict[str, Any]:
    if len(item) > MAX_EVENT:
        raise TooLong("event", f"{len(item)} bytes", f"at most {MAX_EVENT}; leave out what no event has")
    try:
        found = _ANY.decode(item)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as fault:
        raise NotJson("event", item[:60].decode("utf-8", "replace"), f"not valid JSON: {plain(fault)}") from fault
    if not isinstance(found, dict):
        raise NotObject("event", found, "a JSON object")
    return found


def _known_fields(found: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """Return the known fields of one event that are not null, redacted and cut, and how many others there were."""
    known = {name: value for name, value in found.items() if name in _KNOWN and value is not None}
    read = read_aliases(known, found)
    dropped = sum(1 for name in found if name not in _KNOWN and name not in read)
    limits = known.get("ratelimit")
    if isinstance(limits, dict):
        known["ratelimit"] = {name: value for name, value in limits.items() if name in _LIMIT_NAMES}
        dropped += len(limits) - len(known["ratelimit"])
    return {name: _clean(value, CUT.get(name)) for name, value in known.items()}, dropped


def _clean(value: Any, most: int | None) -> Any:
    if isinstance(value, str):
        if "sk-ant-" in value:
            return shown(value[: 2 * MAX_MESSAGE], limit=most or MAX_MESSAGE)
        return value if most is None else value[:most]
    if isinstance(value, dict):
        return {
            name[:MAX_ATTRIBUTE_NAME]: _clean(part, MAX_ATTRIBUTE) for name, part in value.items() if part is not None
        }
    return value


def _event(fields: dict[str, Any], found: dict[str, Any]) -> Event:
    try:
        return msgspec.convert(fields, Event)
    except msgspec.ValidationError as fault:
        name, value = _culprit(str(fault), fields)
        remedy = FIELDS.get(name.partition(".")[0].partition("[")[0], str(fault))
        raise EventError(name, value, remedy + _hint(name, value, found)) from fault


def _event_anyhow(found: dict[str, Any]) -> Event:
    """Return an event that was taken once: without the fields that would be refused today."""
    fields, _ = _known_fields(found)
    while True:
        try:
            return _event(fields, found)
        except EventError as fault:
            name = fault.field.partition(".")[0].partition("[")[0]
            if fields.pop(name, None) is None:
                raise


_LINES = ("log", "message", "msg", "MESSAGE", "line", "body")


def _hint(name: str, value: object, found: dict[str, Any]) -> str:
    """Return what else helps the sender of something that has no model, so is no event."""
    if name != "model" or value != "missing":
        return ""
    for line in _LINES:
        text = found.get(line)
        if isinstance(text, str) and text.lstrip().startswith("{"):
            return f"; `{line}` holds JSON as text: have the shipper parse it"
    if _KNOWN.isdisjoint(found):
        return "; it has no field of an event: send only the lines about calls of the Claude API"
    return ""


def _culprit(message: str, fields: dict[str, Any]) -> tuple[str, object]:
    """Return the field that a validation error is about, and its value."""
    at = _PATH.search(message)
    if at is None or not at[1]:
        missing = re.search(r"required field `(\w+)`", message)
        return (missing[1] if missing is not None else "event"), "missing"
    top, _, part = at[1].partition(".")
    top, bracket, _ = top.partition("[")
    value = fields.get(top)
    if not isinstance(value, dict):
        return top, value
    if part in value:
        return f"{top}.{part}", value[part]
    if bracket:
        # Of a mapping the decoder does not say which entry it is.
        for name, entry in value.items():
            if not isinstance(entry, str):
                return f"{top}.{shown(name)}", entry
    return top, value
