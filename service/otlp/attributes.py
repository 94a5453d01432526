"""Attributes as protobuf has them -> what is kept of them, by our names.

Nearly all attributes of a fleet's spans are the same few hundred byte strings (provider, model, status 200): those
are looked up whole. The rest is taken apart by hand where it has the usual form, and by protobuf where it has not.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from .names import READ, Reading
from .span import Attributes
from .wire import AnyValue, KeyValue

_LONGEST: Final = 160
"""Bytes of an attribute that is worth a look-up; a prompt is not."""

_MOST: Final = 20_000
"""Attributes that are remembered."""

_DEEPEST: Final = 32

_Told = tuple[str, Any, bool]
"""(our name, what is kept, whether it is preferred); our name is "" for what is not."""

_NOTHING: Final[_Told] = ("", None, False)
_KEYS: Final = {name.encode(): reading for name, reading in READ.items()}
_known: dict[bytes, _Told] = {}


def read(raw: Iterable[bytes]) -> Attributes:
    """Return what is kept of a span's attributes.

    Raises:
        google.protobuf.message.DecodeError: One is no attribute. `UnicodeDecodeError` likewise.
    """
    found: Attributes = {}
    look_up = _known.get
    for one in raw:
        told = look_up(one) if len(one) <= _LONGEST else None
        if told is None:
            told = _take_apart(one)
        elif told is _NOTHING:
            continue
        field, value, preferred = told
        if preferred:
            found[field] = value
        elif field:
            found.setdefault(field, value)
    return found


def read_pairs(pairs: Iterable[tuple[str, Any]]) -> Attributes:
    """Return what is kept of attributes whose values are decoded."""
    found: Attributes = {}
    for name, value in pairs:
        reading = READ.get(name)
        if reading is not None:
            field, kept, preferred = _told(reading, value)
            if preferred:
                found[field] = kept
            elif field:
                found.setdefault(field, kept)
    return found


def read_all(raw: Iterable[bytes]) -> dict[str, Any]:
    """Return all attributes as they are named."""
    pairs = (KeyValue.FromString(one) for one in raw)
    return {pair.key: value_of(pair.value) for pair in pairs}


def _told(reading: Reading, value: Any) -> _Told:
    kept = reading.kept(value)
    return (reading.field, kept, reading.preferred) if kept is not None else _NOTHING


def _take_apart(raw: bytes) -> _Told:
    """Return what one attribute tells, by hand where it has the usual form."""
    # 0x0a, the key's length, the key, 0x12, the value's length, the value: lengths of one byte, and nothing after it.
    size = len(raw)
    if size > 3 and raw[0] == 0x0A and raw[1] < 0x80:
        end = 2 + raw[1]
        if size > end + 2 and raw[end] == 0x12:
            reading = _KEYS.get(raw[2:end])
            if reading is None:
                return _unread(raw, end)
            if raw[end + 1] == size - end - 2 < 0x80:
                kind = raw[end + 2]
                if kind == 0x0A and size > end + 3 and raw[end + 3] == size - end - 4:
                    return _remembered(raw, reading, raw[end + 4 :].decode())
                if kind == 0x18 and size - end < 10 and raw[-1] < 0x80:
                    return _remembered(raw, reading, _varint(raw, end + 3, size))
    pair = KeyValue.FromString(raw)
    found = READ.get(pair.key)
    return _remembered(raw, found, value_of(pair.value)) if found is not None else _NOTHING


def _unread(raw: bytes, end: int) -> _Told:
    """Note that an attribute is not read. Its name is checked, its value need not be."""
    raw[2:end].decode()
    return _keep(raw, _NOTHING)


def _remembered(raw: bytes, reading: Reading, value: Any) -> _Told:
    told = _told(reading, value)
    return _keep(raw, told) if reading.repeats else told


def _keep(raw: bytes, told: _Told) -> _Told:
    if len(raw) <= _LONGEST:
        if len(_known) >= _MOST:
            _known.clear()
        _known[raw] = told
    return told


def _varint(raw: bytes, begin: int, end: int) -> int:
    """Return a small number; the caller has seen that it fills the rest."""
    number = 0
    for place in range(end - 1, begin - 1, -1):
        number = number << 7 | raw[place] & 0x7F
    return number


def any_value(raw: bytes) -> Any:
    """Return a value that came as bytes."""
    return value_of(AnyValue.FromString(raw)) if raw else None


def value_of(value: Any, depth: int = 0) -> Any:
    """Return the Python value of an AnyValue; bytes, and what is nested absurdly deep, are None."""
    kind = value.WhichOneof("value")
    if kind is None or kind == "bytes_value" or depth > _DEEPEST:
        return None
    if kind == "array_value":
        return [value_of(item, depth + 1) for item in value.array_value.values]
    if kind == "kvlist_value":
        return {pair.key: value_of(pair.value, depth + 1) for pair in value.kvlist_value.values}
    return getattr(value, kind)
