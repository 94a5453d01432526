"""Bytes -> events: decompress, decode, check, refuse one by one.

≠ HTTP, storage.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable
from typing import Any

import msgspec
import zstandard
from claxon.event import FIELDS, Event, EventError, complete, complete_all, shown

MAX_BODY = 64 * 1024 * 1024
"""Bytes of a batch, decompressed."""

MAX_EVENTS = 50_000
"""Events of a batch."""

_MANY_BYTES = 1024 * 1024
_MOST_OBJECTS = 8 * MAX_EVENTS  # braces: an event has up to three, and a message may quote some

_ARRAY = msgspec.json.Decoder(list[Event])
_ANY = msgspec.json.Decoder()
_RAW_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])
_ENCODER = msgspec.json.Encoder()
_PATH = re.compile(r" - at `\$\.?([^`]*)`")
_KNOWN = frozenset(FIELDS)

# Half as long again takes a search for the same bytes by `in`.
_SECRET = re.compile(rb"sk-ant-")


class BadBody(ValueError):
    """A body of which nothing can be read; the text is *where: value: remedy*."""


class BodyTooLarge(BadBody):
    """A body, or what it expands to, is over the limit."""


class UnknownEncoding(BadBody):
    """A Content-Encoding or Content-Type that is not spoken here."""


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
    """

    events: list[Event]
    body: bytes
    refusals: list[Refusal]
    dropped_fields: int = 0
    claims: dict[int, tuple[str, ...]] = {}
    others: list[int] = []
    stored: bytes = b""


def expand(body: bytes, encoding: str, *, most: int = MAX_BODY) -> bytes:
    """Return a body without its Content-Encoding, never more than `most` bytes.

    Raises:
        BodyTooLarge: It expands to more.
        UnknownEncoding: The encoding is none of gzip, deflate, zstd, identity.
        BadBody: It is not what the encoding says.
    """
    match encoding.strip().lower():
        case "" | "identity":
            expanded = body
        case "gzip" | "x-gzip":
            expanded = _inflate(body, zlib.MAX_WBITS | 16, most)
        case "deflate":
            expanded = _inflate(body, zlib.MAX_WBITS, most)
        case "zstd":
            expanded = _unzstd(body, most)
        case _:
            raise UnknownEncoding(f"Content-Encoding: {shown(encoding)}: use gzip, zstd or none")
    if len(expanded) > most:
        raise BodyTooLarge(f"body: over {most} bytes decompressed: send smaller batches")
    return expanded


def _inflate(body: bytes, bits: int, most: int) -> bytes:
    inflater = zlib.decompressobj(bits)
    try:
        expanded = inflater.decompress(body, most + 1)
    except zlib.error as fault:
        raise BadBody("body: not valid gzip: compress it whole, or send it plain") from fault
    if len(expanded) <= most and not inflater.eof:
        raise BadBody("body: the gzip data end too early: send all of them")
    return expanded


def _unzstd(body: bytes, most: int) -> bytes:
    try:
        reader = zstandard.ZstdDecompressor(max_window_size=2**27).stream_reader(body)
        expanded: bytes = reader.read(most + 1)
    except zstandard.ZstdError as fault:
        raise BadBody("body: not valid zstd: compress it whole, or send it plain") from fault
    return expanded


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
        raise BadBody("body: empty: send a JSON object, an array of them, or one a line")
    # Events that say next to nothing take 30 times the room of their text.
    if len(text) > _MANY_BYTES and text.count(b"{") > _MOST_OBJECTS:
        raise BodyTooLarge(f"body: over {MAX_EVENTS} events: send smaller batches")
    if text.startswith(b"[") and not ndjson:
        if _SECRET.search(text) is None and (batch := _decode_fast(text, received_at, app)) is not None:
            return batch
        return _decode_each(_array_items(text), received_at, app)
    return _decode_each(_lines(text, ndjson=ndjson), received_at, app)


def decode_logged(body: bytes, *, received_at: float, app: str, skip: list[int]) -> list[Event]:
    """Return the events of a logged batch, completed just as when they arrived."""
    events = _ARRAY.decode(body)
    if skip:
        left_out = set(skip)
        events = [event for i, event in enumerate(events) if i not in left_out]
    # None is refused: just these were taken when they arrived.
    complete_all(events, received_at=received_at, default_app=app)
    return events


def _decode_fast(text: bytes, received_at: float, app: str) -> Batch | None:
    """Return the batch if every event is good and has only known fields: the usual case, all of it in C."""
    try:
        events = _ARRAY.decode(text)
        if not 0 < len(events) <= MAX_EVENTS:
            return None
        refused, others = complete_all(events, received_at=received_at, default_app=app)
        if refused:
            return None
    except (msgspec.MsgspecError, EventError):
        return None
    return Batch(events=events, body=text, refusals=[], others=others)


def _array_items(text: bytes) -> list[bytes]:
    try:
        return [bytes(raw) for raw in _RAW_ARRAY.decode(text)]
    except (msgspec.MsgspecError, RecursionError) as fault:
        raise BadBody(f"body: not valid JSON: {_plain(fault)}") from fault


def _lines(text: bytes, *, ndjson: bool) -> list[bytes]:
    lines = [line for line in text.splitlines() if line.strip()]
    if ndjson or (len(lines) > 1 and all(line.lstrip()[:1] == b"{" and line.rstrip()[-1:] == b"}" for line in lines)):
        return lines
    return [text]


def _decode_each(items: list[bytes], received_at: float, app: str) -> Batch:
    if len(items) > MAX_EVENTS:
        raise BodyTooLarge(f"body: {len(items)} events: at most {MAX_EVENTS}: send smaller batches")
    return take_each(map(_found, items), received_at=received_at, app=app)


def take_each(found: Iterable[dict[str, Any] | EventError], *, received_at: float, app: str) -> Batch:
    """Return what one finds in a body that is not JSON events, event by event.

    Args:
        found: The fields of an event, unknown ones too, or why it is none; in the order of the body.
        received_at: When it arrived, Unix seconds.
        app: The app of events that name none.
    """
    batch = Batch(events=[], body=b"", refusals=[])
    kept: list[dict[str, Any]] = []
    for index, item in enumerate(found):
        try:
            if isinstance(item, EventError):
                raise item
            fields, dropped = _known_fields(item)
            event = complete(_event(fields), received_at=received_at, default_app=app)
        except EventError as fault:
            batch.refusals.append(Refusal(index, str(fault)))
            continue
        batch.dropped_fields += dropped
        batch.events.append(event)
        kept.append(fields)
    batch.body = _ENCODER.encode(kept)
    batch.others = list(range(len(kept)))
    return batch


def decode_one(item: bytes) -> Event:
    """Return one event as it would be taken: redacted, without nulls and unknown fields; not completed.

    Raises:
        EventError: It is no event.
    """
    return _event(_known_fields(_object(item))[0])


def _found(item: bytes) -> dict[str, Any] | EventError:
    try:
        return _object(item)
    except EventError as fault:
        return fault


def _object(item: bytes) -> dict[str, Any]:
    try:
        found = _ANY.decode(item)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as fault:
        raise EventError("event", item[:60].decode("utf-8", "replace"), f"not valid JSON: {_plain(fault)}") from fault
    if not isinstance(found, dict):
        raise EventError("event", found, "a JSON object")
    return found


def _known_fields(found: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """Return the known fields of one event that are not null, redacted, and how many others there were."""
    known = {name: _clean(value) for name, value in found.items() if name in _KNOWN and value is not None}
    return known, sum(1 for name in found if name not in _KNOWN)


def _clean(value: Any) -> Any:
    if isinstance(value, str) and "sk-ant-" in value:
        return shown(value, limit=500)
    if isinstance(value, dict):
        return {name: _clean(part) for name, part in value.items() if part is not None}
    return value


def _event(fields: dict[str, Any]) -> Event:
    try:
        return msgspec.convert(fields, Event)
    except msgspec.ValidationError as fault:
        name, value = _culprit(str(fault), fields)
        raise EventError(name, value, FIELDS.get(name.partition(".")[0].partition("[")[0], str(fault))) from fault


def _culprit(message: str, fields: dict[str, Any]) -> tuple[str, object]:
    """Return the field that a validation error is about, and its value."""
    at = _PATH.search(message)
    if at is None or not at[1]:
        missing = re.search(r"required field `(\w+)`", message)
        return (missing[1] if missing is not None else "event"), "missing"
    name = at[1]
    top = re.split(r"[.\[]", name)[0]
    value = fields.get(top)
    if isinstance(value, dict) and "." in name:
        value = value.get(name.rpartition(".")[2], value)
    return name, value


def _plain(fault: Exception) -> str:
    text = str(fault)
    return "too deeply nested" if isinstance(fault, RecursionError) else shown(text, limit=120)
