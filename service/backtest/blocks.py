"""Bytes -> blocks: pieces that hold only whole events. One object a line, a JSON array, or objects one after another.

≠ files, what an event is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import msgspec

from .sources import SourceError

BLOCK = 96 * 1024
"""Bytes of a block; its events then still lie in the processor's cache when they are counted."""

MAX_ITEM = 16 * 1024 * 1024
"""Bytes of one event at most: what is longer is no log of events."""

_BOM = b"\xef\xbb\xbf"
_BETWEEN_ITEMS = re.compile(rb"\}\s*(,)\s*(?=\{)")
_BETWEEN_OBJECTS = re.compile(rb"\}(\s+)(?=\{)")
_BYTE = re.compile(r" \(byte \d+\)")
_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_RAW = msgspec.json.Decoder(msgspec.Raw)


class Block(msgspec.Struct, frozen=True):
    """Some whole events.

    Attributes:
        text: One behind the other, with white space between them.
        items: Where they are known one by one; in a block of lines they are not.
    """

    text: bytes | memoryview
    items: list[bytes] | None = None


def blocks(chunks: Iterator[bytes], name: str) -> Iterator[Block]:
    """Yield the content of a source in blocks, by what its first bytes are.

    Raises:
        SourceError: It cannot be read further, or is no JSON there.
    """
    first = b""
    while not first.strip() or (b"\n" not in first and len(first) < BLOCK):
        more = next(chunks, None)
        if more is None:
            break
        first += more
        _check_length(first, name)
    text = first.removeprefix(_BOM)
    rest = _joined(text, chunks)
    match _form(text):
        case "array":
            return _items(rest, name)
        case "objects":
            return _objects(rest, name)
        case _:
            return _lines(rest, name)


def _form(text: bytes) -> str:
    """Return how events are laid out, from the beginning of them."""
    begin = text.lstrip()
    if begin.startswith(b"["):
        return "array"
    line = begin.partition(b"\n")[0]
    if not begin.startswith(b"{") or line == begin:
        return "lines"
    try:
        _RAW.decode(line)
    except (msgspec.DecodeError, RecursionError) as fault:
        # As `jq` prints them: the first line opens an object and does not close it.
        return "objects" if "truncated" in str(fault) else "lines"
    return "lines"


def _joined(first: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from chunks


def _check_length(piece: bytes, name: str) -> None:
    if len(piece) > MAX_ITEM:
        raise SourceError(f"{name}: over {MAX_ITEM >> 20} MiB without an end of an event: one JSON object a line")


# ── one object a line ─────────────────────────────────────────────────────────


def _lines(chunks: Iterator[bytes], name: str) -> Iterator[Block]:
    rest = b""
    for chunk in chunks:
        begin, end = 0, chunk.rfind(b"\n") + 1
        if not end:
            rest += chunk
            _check_length(rest, name)
            continue
        view = memoryview(chunk)
        while begin < end:
            cut = chunk.rfind(b"\n", begin, begin + BLOCK) + 1 or chunk.find(b"\n", begin) + 1
            # Only where a line goes over from the piece before is anything copied.
            yield Block(b"".join((rest, view[begin:cut])) if rest else view[begin:cut])
            begin, rest = cut, b""
        rest = chunk[end:]
    if rest:
        yield Block(rest)


# ── an array, or objects over several lines ───────────────────────────────────


def _items(chunks: Iterator[bytes], name: str) -> Iterator[Block]:
    """Yield the items of an array; where one ends is found from the right, and proved by decoding all before it."""
    text = b""
    begun = False
    seen = 0
    for chunk in chunks:
        text += chunk
        if not begun:
            text, begun = text.lstrip()[1:], True
        block, text = _proved(text, _BETWEEN_ITEMS, _array)
        if block is not None:
            yield block
            seen += len(block.items or ())
        _check_length(text, name)
    ending = text.rstrip()
    try:
        last = _array(ending.removesuffix(b"]"))
    except (msgspec.DecodeError, RecursionError) as fault:
        raise SourceError(f"{name}: after item {seen}: not valid JSON: {_plain(fault)}: write it anew") from fault
    yield last
    if not ending.endswith(b"]"):
        raise SourceError(f"{name}: the array ends too early, after item {seen + len(last.items or ())}: copy it whole")


def _objects(chunks: Iterator[bytes], name: str) -> Iterator[Block]:
    """Yield objects that stand one after another over several lines each, as `jq` prints them."""
    text = b""
    seen = 0
    for chunk in chunks:
        text += chunk
        block, text = _proved(text, _BETWEEN_OBJECTS, _sequence)
        if block is not None:
            yield block
            seen += len(block.items or ())
        _check_length(text, name)
    try:
        yield _sequence(text)
    except (msgspec.DecodeError, RecursionError) as fault:
        said = f"{name}: after object {seen}: not valid JSON: {_plain(fault)}: one JSON object a line"
        raise SourceError(said) from fault


def _proved(text: bytes, between: re.Pattern[bytes], decode: Callable[[bytes], Block]) -> tuple[Block | None, bytes]:
    """Return the block up to the last end of an item, if there is one, and what is behind it.

    What looks like an end may stand inside an item: then what is before it does not decode.
    """
    places = list(between.finditer(text))
    step = 1
    while step <= len(places):
        at = places[-step]
        step *= 2
        try:
            return decode(text[: at.start() + 1]), text[at.end() :]
        except (msgspec.DecodeError, RecursionError):
            continue
    return None, text


def _array(text: bytes) -> Block:
    return _block(_LIST.decode(b"[" + text + b"]"))


def _sequence(text: bytes) -> Block:
    return _block(_RAW.decode_lines(text))


def _block(raws: list[msgspec.Raw]) -> Block:
    items = [bytes(raw) for raw in raws]
    return Block(b"\n".join(items), items)


def _plain(fault: Exception) -> str:
    return "too deeply nested" if isinstance(fault, RecursionError) else _BYTE.sub("", str(fault))
