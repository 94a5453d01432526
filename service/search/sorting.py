"""Sorting: some thousand failures -> a segment.

Those of one category, app, environment, path, model and error lie together, in the order
of their instants, so that a question for them opens few blocks; and a block says first which
kinds it holds, so that of the others no event is decoded.

≠ where they come from, where they go.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from operator import attrgetter, itemgetter
from typing import TypeAlias

import msgspec
import zstandard
from claxon.event import Event

from ..storage.failure_segments import MOST_BLOCKS, Block, Segment
from ..storage.failure_terms import hashed, pack
from .wanted import KIND, Kind

Failure: TypeAlias = tuple[int, int, Event]
"""A row of the log, a place in its body, and the event there."""

Lying: TypeAlias = tuple[float, int, int, Event]
"""The same, and its instant first."""

Part: TypeAlias = tuple[Kind, list[Lying]]
"""Failures of one kind, in order."""

ENOUGH = 8192
"""Failures that are worth a segment."""

BLOCK = 256
"""Failures of a block."""

_ENCODE = msgspec.msgpack.Encoder()
_DECODE = msgspec.msgpack.Decoder(list[Failure])
_DECODE_ONE = msgspec.msgpack.Decoder(Failure)
_DECODE_RAW = msgspec.msgpack.Decoder(list[msgspec.Raw])
_DECODE_BODY = msgspec.msgpack.Decoder(tuple[bytes, bytes])
_DECODE_KINDS = msgspec.msgpack.Decoder(list[tuple[Kind, int]])
_KIND = attrgetter(*KIND)
_NAMES_OF_ONE = ("request_id", "call_id")
_PLACE = itemgetter(0, 1, 2)


def sort(
    failures: Iterable[Failure],
    *,
    first: int,
    last: int,
    block: int = BLOCK,
    breathe: Callable[[], None] = lambda: None,
) -> Segment:
    """Return the segment of some failures.

    Args:
        failures: All those of the rows from `first` to `last`; without any the segment has no blocks.
        first: A row of the log.
        last: Another.
        block: Failures of a block; more, where there would be too many blocks.
        breathe: Called every now and then, so that other threads get their turn.
    """
    by_kind: dict[Kind, list[Lying]] = {}
    count = 0
    for offset, index, event in failures:
        by_kind.setdefault(_KIND(event), []).append((event.at, offset, index, event))
        count += 1
        if count % 256 == 0:
            breathe()
    compress = zstandard.ZstdCompressor(level=1).compress
    blocks: list[Block] = []
    terms: list[set[bytes]] = []
    for parts in _cut(by_kind, max(block, -(-count // MOST_BLOCKS))):
        blocks.append(_block(parts, compress))
        terms.append(_terms(parts))
        breathe()
    return Segment(first=first, last=last, blocks=blocks, terms=pack(terms))


def _order(kind: Kind) -> tuple[str, ...]:
    app, environment, category, *others = kind
    return category, app, environment, *map(str, others)


def _cut(by_kind: dict[Kind, list[Lying]], size: int) -> Iterator[list[Part]]:
    """Yield what lies in each block: pieces of one kind."""
    parts: list[Part] = []
    room = size
    for kind in sorted(by_kind, key=_order):
        lying = sorted(by_kind[kind], key=_PLACE)
        while len(lying) >= room:
            yield [*parts, (kind, lying[:room])]
            parts, lying, room = [], lying[room:], size
        if lying:
            parts.append((kind, lying))
            room -= len(lying)
    if parts:
        yield parts


def _block(parts: list[Part], compress: Callable[[bytes], bytes]) -> Block:
    kinds = [(kind, len(lying)) for kind, lying in parts]
    failures = [(offset, index, event) for _, lying in parts for _, offset, index, event in lying]
    body = _ENCODE.encode((compress(_ENCODE.encode(kinds)), compress(_ENCODE.encode(failures))))
    # Each piece is in order.
    oldest, newest = min(lying[0][0] for _, lying in parts), max(lying[-1][0] for _, lying in parts)
    return Block(n=len(failures), oldest=oldest, newest=newest, body=body)


def _terms(parts: list[Part]) -> set[bytes]:
    found: set[bytes] = set()
    for name, values in zip(KIND, zip(*[kind for kind, _ in parts], strict=True), strict=True):
        found |= {hashed(name, str(value)) for value in set(values) if value is not None}
    for name in _NAMES_OF_ONE:
        read = attrgetter(name)
        ids = {read(event) for _, lying in parts for *_, event in lying}
        found |= {hashed(name, value) for value in ids if value is not None}
    return found


class Opener:
    """Opens blocks; for one thread, as its decompressor is."""

    def __init__(self, may: Callable[[Kind], bool]) -> None:
        """Take note of which kinds are looked for."""
        self._expand = zstandard.ZstdDecompressor().decompress
        self._may = may

    def open(self, body: bytes) -> list[Failure]:
        """Return the failures of a stored block that may be wanted."""
        of_kinds, failures = _DECODE_BODY.decode(body)
        kinds = _DECODE_KINDS.decode(self._expand(of_kinds))
        may = [self._may(kind) for kind, _ in kinds]
        if not any(may):
            return []
        if all(may):
            return _DECODE.decode(self._expand(failures))
        raw = iter(_DECODE_RAW.decode(self._expand(failures)))
        chosen: list[Failure] = []
        for (_, n), wanted in zip(kinds, may, strict=True):
            part = islice(raw, n)
            if wanted:
                chosen += [_DECODE_ONE.decode(one) for one in part]
            else:
                deque(part, maxlen=0)
        return chosen
