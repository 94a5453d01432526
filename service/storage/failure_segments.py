"""Segments of the index of failures: stored slice by slice, found, read, deleted.

≠ how failures are sorted, what is asked.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from .connecting import Connection
from .failure_terms import BUCKETS, bucket_of, find

MOST_BLOCKS = 256
"""Of a segment: a block's number is one byte."""

_SLICE = 8  # blocks that are stored at once
_BOUNDS = struct.Struct("<Idd")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Failures that lie together.

    Attributes:
        n: How many.
        oldest: The earliest instant among them.
        newest: The latest.
        body: They, compressed.
    """

    n: int
    oldest: float
    newest: float
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """What is stored at once of some thousand failures.

    Attributes:
        first: The first row of the log that it covers.
        last: The last; all failures of the rows between are in it.
        blocks: At most `MOST_BLOCKS`.
        terms: In which blocks which values stand, by bucket.
    """

    first: int
    last: int
    blocks: list[Block]
    terms: dict[int, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A segment as a search meets it.

    Attributes:
        id: Its own.
        first: The first row of the log that it covers.
        oldest: The earliest instant in it.
        newest: The latest.
        bounds: What its blocks hold, packed.
    """

    id: int
    first: int
    oldest: float
    newest: float
    bounds: bytes

    def blocks(self) -> Iterator[tuple[int, float, float]]:
        """Yield each block's id, earliest and latest instant."""
        for number, (_, oldest, newest) in enumerate(_BOUNDS.iter_unpack(self.bounds)):
            yield self.id * MOST_BLOCKS + number, oldest, newest


def next_id(connection: Connection) -> int:
    """Return the id of the next segment, and clear away what a crash left of one that was never finished."""
    number = int(connection.execute("SELECT coalesce(max(id), 0) + 1 FROM failure_segments").fetchone()[0])
    connection.execute("DELETE FROM failure_blocks WHERE id >= ?", (number * MOST_BLOCKS,))
    connection.execute("DELETE FROM failure_terms WHERE segment >= ?", (number,))
    return number


def slices(segment: Segment) -> Iterator[list[tuple[int, Block]]]:
    """Yield the numbered blocks in portions that are stored at once."""
    numbered = list(enumerate(segment.blocks))
    for at in range(0, len(numbered), _SLICE):
        yield numbered[at : at + _SLICE]


def put_blocks(connection: Connection, number: int, blocks: list[tuple[int, Block]]) -> None:
    """Store some blocks of a segment, which no search sees before `finish`."""
    rows = [(number * MOST_BLOCKS + place, block.body) for place, block in blocks]
    connection.executemany("INSERT INTO failure_blocks VALUES (?, ?)", rows)


def finish(connection: Connection, number: int, segment: Segment) -> None:
    """Store the rest of a segment, whose blocks are stored; searches see it from now on."""
    terms = [(bucket, number, body) for bucket, body in segment.terms.items()]
    connection.executemany("INSERT INTO failure_terms VALUES (?, ?, ?)", terms)
    blocks = segment.blocks
    bounds = b"".join(_BOUNDS.pack(block.n, block.oldest, block.newest) for block in blocks)
    n = sum(block.n for block in blocks)
    oldest, newest = min(block.oldest for block in blocks), max(block.newest for block in blocks)
    row = (number, segment.first, segment.last, n, oldest, newest, bounds)
    connection.execute("INSERT INTO failure_segments VALUES (?, ?, ?, ?, ?, ?, ?)", row)


def overlapping(connection: Connection, *, after: int, since: float, until: float) -> list[Stored]:
    """Return the segments of rows after an offset that may hold failures of `since <= at <= until`, newest first."""
    found = connection.execute(
        "SELECT id, first, oldest, newest, blocks FROM failure_segments "
        "WHERE last > ? AND newest >= ? AND oldest <= ? ORDER BY newest DESC",
        (after, since, until),
    )
    return [
        Stored(id=number, first=first, oldest=oldest, newest=newest, bounds=bounds)
        for number, first, oldest, newest, bounds in found.fetchall()
    ]


def blocks_with(connection: Connection, term: bytes) -> dict[int, set[int]]:
    """Return the blocks' ids, by segment, in which a hash stands."""
    rows = connection.execute("SELECT segment, terms FROM failure_terms WHERE bucket = ?", (bucket_of(term),))
    found = ((segment, find(term, terms)) for segment, terms in rows.fetchall())
    return {segment: {segment * MOST_BLOCKS + place for place in places} for segment, places in found if places}


def body_of(connection: Connection, block: int) -> bytes:
    """Return a block, compressed."""
    return bytes(connection.execute("SELECT body FROM failure_blocks WHERE id = ?", (block,)).fetchone()[0])


def last_indexed(connection: Connection) -> int:
    """Return the last row of the log that a segment covers; -1 without any."""
    return int(connection.execute("SELECT coalesce(max(last), -1) FROM failure_segments").fetchone()[0])


def delete_one(connection: Connection, *, up_to: int) -> bool:
    """Delete a segment of which the log holds no row any more; return whether there was one."""
    row = connection.execute(
        "SELECT id FROM failure_segments WHERE last <= ? ORDER BY last LIMIT 1", (up_to,)
    ).fetchone()
    if row is None:
        return False
    number = int(row[0])
    connection.execute("DELETE FROM failure_segments WHERE id = ?", (number,))
    connection.execute(
        "DELETE FROM failure_blocks WHERE id BETWEEN ? AND ?", (number * MOST_BLOCKS, (number + 1) * MOST_BLOCKS - 1)
    )
    places = [(bucket, number) for bucket in range(BUCKETS)]
    connection.executemany("DELETE FROM failure_terms WHERE bucket = ? AND segment = ?", places)
    return True
