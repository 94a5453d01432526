"""Sorting: some thousand failures -> a segment.

Those of one app, environment, path, model and category lie together, in the order of
their instants, so that a question for them opens few blocks.

≠ where they come from, where they go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from operator import itemgetter
from typing import TypeAlias

import msgspec
import zstandard
from claxon.event import Event

from ..storage.failure_segments import MOST_BLOCKS, Block, Segment
from ..storage.failure_terms import hashed, pack
from .wanted import NAMES

Failure: TypeAlias = tuple[int, int, Event]
"""A row of the log, a place in its body, and the event there."""

Lying: TypeAlias = tuple[float, int, int, Event]
"""The same, and its instant first."""

ENOUGH = 8192
"""Failures that are worth a segment."""

BLOCK = 256
"""Failures of a block."""

_ENCODE = msgspec.msgpack.Encoder()
_DECODE = msgspec.msgpack.Decoder(list[Failure])


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
    by_key: dict[tuple[str, ...], list[Lying]] = {}
    for count, (offset, index, event) in enumerate(failures):
        key = (event.app, event.environment, event.path, event.model, event.category)
        by_key.setdefault(key, []).append((event.at, offset, index, event))
        if count % 256 == 0:
            breathe()
    compress = zstandard.ZstdCompressor(level=1).compress
    blocks: list[Block] = []
    terms: list[set[bytes]] = []
    size = max(block, -(-sum(map(len, by_key.values())) // MOST_BLOCKS))
    for lying in _cut(by_key, size):
        blocks.append(_block(lying, compress))
        terms.append(_terms([event for *_, event in lying]))
        breathe()
    return Segment(first=first, last=last, blocks=blocks, terms=pack(terms))


def failures_of(body: bytes) -> list[Failure]:
    """Return what an expanded block holds."""
    return _DECODE.decode(body)


def _cut(by_key: dict[tuple[str, ...], list[Lying]], size: int) -> Iterator[list[Lying]]:
    block: list[Lying] = []
    for key in sorted(by_key):
        for failure in sorted(by_key[key], key=itemgetter(0, 1, 2)):
            block.append(failure)
            if len(block) == size:
                yield block
                block = []
    if block:
        yield block


def _block(lying: list[Lying], compress: Callable[[bytes], bytes]) -> Block:
    instants = [at for at, *_ in lying]
    body = _ENCODE.encode([(offset, index, event) for _, offset, index, event in lying])
    return Block(n=len(lying), oldest=min(instants), newest=max(instants), body=compress(body))


def _terms(events: list[Event]) -> set[bytes]:
    found: set[bytes] = set()
    for name in NAMES:
        for value in {getattr(event, name) for event in events}:
            if value is not None:
                found.add(hashed(name, str(value)))
    return found
