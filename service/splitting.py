"""A body's text -> its items: an array, one object a line, or objects one after another.

Each item is cut out without being decoded, so that a bad one costs only itself; how many there may be is
known before they take memory.

≠ what an item means.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

import msgspec
from claxon.event import shown

from .expanding import BadBody, BodyTooLarge

MAX_EVENTS = 50_000
"""Events of a body."""

MAX_OBJECTS = 4 * MAX_EVENTS
"""JSON objects of a body: events, and what they hold."""

MAX_VALUES = 40 * MAX_EVENTS
"""JSON values of a body, about."""

_BOM = b"\xef\xbb\xbf"
_BRACE = ord("{")
_SMALLEST = len(b'{"model":"m"},')
_RAW_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])
_RAW = msgspec.json.Decoder(msgspec.Raw)
_TRAILING = re.compile(r"trailing characters \(byte (\d+)\)")
_ADJOINING = re.compile(rb"\}\s*\{")
_LINE = re.compile(rb"\S[^\n]*")


def check_size(text: bytes) -> None:
    """Refuse a text that would take far more memory than its size before it is decoded.

    Raises:
        BodyTooLarge: It holds too many objects or values.
    """
    # The usual body is so short that it cannot.
    if len(text) <= MAX_EVENTS * _SMALLEST:
        return
    for mark, most, what in ((b"{", MAX_OBJECTS, "objects"), (b",", MAX_VALUES, "values")):
        found = text.count(mark)
        if found > most:
            raise BodyTooLarge(f"body: {found} JSON {what}: at most {most}: send smaller batches")


def is_array(text: bytes, *, ndjson: bool) -> bool:
    """Whether a text is an array of events; a body of lines that is one is read as such."""
    return text.startswith(b"[") and (not ndjson or text.endswith(b"]"))


def without_bom(text: bytes) -> bytes:
    """Return a text without the mark that some put in front of UTF-8.

    Raises:
        BadBody: It is UTF-16 or UTF-32.
    """
    if text.startswith(_BOM):
        return text[len(_BOM) :].lstrip()
    if text[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in text[:4]:
        raise BadBody("body: UTF-16 or UTF-32, or not text: send UTF-8")
    return text


def items(text: bytes, *, ndjson: bool) -> Iterator[bytes]:
    """Yield the items of a text.

    Raises:
        BadBody: It is an array, and not valid JSON.
        BodyTooLarge: There are too many.
    """
    found = _array(text) if is_array(text, ndjson=ndjson) else _lines(text, ndjson=ndjson)
    for count, item in enumerate(found):
        if count >= MAX_EVENTS:
            raise _too_many(f"over {MAX_EVENTS}")
        yield item


def _too_many(count: str) -> BodyTooLarge:
    return BodyTooLarge(f"body: {count} events: at most {MAX_EVENTS}: send smaller batches")


def _array(text: bytes) -> Iterator[bytes]:
    try:
        found = _RAW_ARRAY.decode(text)
    except (msgspec.MsgspecError, RecursionError) as fault:
        raise BadBody(f"body: not valid JSON: {plain(fault)}") from fault
    if len(found) > MAX_EVENTS:
        raise _too_many(str(len(found)))
    return (bytes(raw) for raw in found)


def _lines(text: bytes, *, ndjson: bool) -> Iterator[bytes]:
    if ndjson or _looks_like_lines(text):
        for line in _LINE.finditer(text):
            yield from _one_after_another(line[0].rstrip())
    else:
        yield from _one_after_another(text)


def _looks_like_lines(text: bytes) -> bool:
    """Whether there are several lines, and each looks like an object."""
    lines = islice(_LINE.finditer(text), 8)
    looks = [line[0].startswith(b"{") and line[0].rstrip().endswith(b"}") for line in lines]
    return len(looks) > 1 and all(looks)


def _one_after_another(text: bytes) -> Iterator[bytes]:
    """Yield the objects of a text: nearly always it is one."""
    if not text.startswith(b"{") or _ADJOINING.search(text) is None:
        yield text
        return
    rest = memoryview(text)
    while rest:
        end = _end_of_first(rest)
        yield bytes(rest[:end])
        rest = rest[end:]


def _end_of_first(text: memoryview) -> int:
    """Return where the first object ends; the whole text if it is one, or is not valid."""
    try:
        _RAW.decode(text)
    except msgspec.MsgspecError as fault:
        trailing = _TRAILING.search(str(fault))
        # What follows an object and begins none belongs to it, and makes it invalid.
        if trailing is not None and text[at := int(trailing[1]) - 1] == _BRACE:
            return at
    except RecursionError:
        pass
    return len(text)


def plain(fault: Exception) -> str:
    """Return what a fault of the decoder says, in a line."""
    text = str(fault)
    if isinstance(fault, RecursionError):
        return "too deeply nested"
    if text == "Input data was truncated":
        return "it ends too early, or holds half a surrogate pair"
    return shown(text, limit=120)
