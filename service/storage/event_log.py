"""The event log: durable, ordered, one row a batch, and one for whatever else decisions depend on.

≠ rules, HTTP.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator
from typing import TypeAlias

import msgspec
import zstandard

from . import zstd
from .connecting import Connection
from .errors import StorageError

PIECE = 200
"""Rows that are read at once, at most, where the write-ahead log must not wait: some ten milliseconds."""

PIECE_BYTES = 16 * 1024 * 1024
"""And so many bytes, or one row more."""

_APPEND = """
INSERT INTO event_log (received_at, observed_at, app, n, skip, body) VALUES (?, ?, ?, ?, ?, ?) RETURNING offset
"""
_LENGTHS = "SELECT offset, length(body) FROM event_log WHERE offset > ? AND offset <= ? ORDER BY offset LIMIT ?"
_EXPANDS = 8
"""About so much larger is a body than it is stored."""

_REMEMBER = """
INSERT INTO idempotency (key, answer, at) VALUES (?, ?, ?)
ON CONFLICT (key) DO UPDATE SET answer = excluded.answer, at = excluded.at
"""
LAST = 2**63 - 1
"""No row is after it."""


class Resumed(msgspec.Struct, frozen=True, tag="resumed"):
    """Nobody could be heard before this row: Claxon was down, the machine slept, or the clock was set ahead."""


class Rewound(msgspec.Struct, frozen=True, tag="rewound"):
    """The clock was set back to this row's instant.

    Attributes:
        since: The latest instant that was evaluated before.
    """

    since: float


class RulesChanged(msgspec.Struct, frozen=True, tag="rules"):
    """Other rules are in force from this row on.

    Attributes:
        rules: The canonical text of all of them.
        first: The engine began here, and knew nothing.
    """

    rules: str
    first: bool = False


Entry: TypeAlias = Resumed | Rewound | RulesChanged
"""What a row without events says."""

_ENTRY: msgspec.json.Decoder[Entry] = msgspec.json.Decoder(Entry)


class LoggedBatch(msgspec.Struct, kw_only=True):
    """One row: a batch as it was posted, or, with n = 0, an entry.

    Attributes:
        offset: Its place in the log; 0 before it is appended.
        received_at: When the events arrived, for those without a time.
        observed_at: When the engine took them.
        app: The app of events that name none.
        n: How many events there are.
        skip: Indexes of those that an earlier batch already held.
        unreadable: Whether the body was changed on disk, and is empty here.
        body: A JSON array; with n = 0 an entry.
    """

    received_at: float
    observed_at: float
    app: str
    n: int
    body: bytes
    skip: list[int] = msgspec.field(default_factory=list)
    offset: int = 0
    unreadable: bool = False

    @property
    def entry(self) -> Entry | None:
        """What a row without events says; None for a batch, and where nobody can read it."""
        if self.n or self.unreadable:
            return None
        if not self.body:
            return Resumed()
        try:
            return _ENTRY.decode(self.body)
        except msgspec.MsgspecError:
            return None


def compress(body: bytes) -> bytes:
    """Return a body as it is stored; lets other threads run meanwhile."""
    return zstd.compress(body)


def stored_from(sent: bytes, body: bytes) -> bytes:
    """Return a body as it is stored: what was sent, where that is the very form, or compressed anew."""
    try:
        frame = zstandard.get_frame_parameters(sent)
    except zstandard.ZstdError:
        return compress(body)
    return sent if frame.has_checksum and frame.content_size == len(body) else compress(body)


def expanded(stored: bytes) -> bytes | None:
    """Return a body as it was posted; None if the disk has changed what is stored."""
    try:
        return zstd.expand(stored) if stored else b""
    except zstandard.ZstdError:
        return None


def append(connection: Connection, batch: LoggedBatch, stored: bytes) -> int:
    """Append a batch inside the caller's transaction; return its offset."""
    skip = msgspec.json.encode(batch.skip).decode() if batch.skip else ""
    row = (batch.received_at, batch.observed_at, batch.app, batch.n, skip, stored)
    return int(connection.execute(_APPEND, row).fetchall()[0][0])


def append_entry(connection: Connection, entry: Entry, at: float) -> int:
    """Append a row without events inside the caller's transaction; return its offset."""
    row = LoggedBatch(received_at=at, observed_at=at, app="", n=0, body=b"")
    return append(connection, row, compress(msgspec.json.encode(entry)))


def put_first(connection: Connection, rules: RulesChanged) -> None:
    """Put the rules before the first row: a log of schema 1, or what pruning left of one, does not say its own."""
    connection.execute(
        "INSERT INTO event_log (offset, received_at, observed_at, app, n, body) "
        "SELECT offset - 1, observed_at, observed_at, '', 0, ? FROM event_log ORDER BY offset LIMIT 1",
        (compress(msgspec.json.encode(rules)),),
    )


def first(connection: Connection) -> LoggedBatch | None:
    """Return the oldest row."""
    found = connection.execute("SELECT min(offset) FROM event_log").fetchone()[0]
    return next(_rows(connection, found - 1, found), None) if found is not None else None


def read(connection: Connection, after: int) -> Iterator[LoggedBatch]:
    """Yield the rows after an offset, in order."""
    while (last := end_of_piece(connection, after, LAST)) is not None:
        yield from _rows(connection, after, last)
        after = last


def end_of_piece(
    connection: Connection, after: int, up_to: int, *, rows: int = PIECE, stored: int = PIECE_BYTES // _EXPANDS
) -> int | None:
    """Return the last of some rows after an offset that may be held in memory together; None where there are none.

    Args:
        connection: The database.
        after: The row before them.
        up_to: No row after it.
        rows: So many at most.
        stored: And so many bytes as they are stored, or one row more.
    """
    last, size = None, 0
    for offset, length in connection.execute(_LENGTHS, (after, up_to, rows)).fetchall():
        size += length
        if last is not None and size > stored:
            break
        last = offset
    return last


def _rows(connection: Connection, after: int, up_to: int) -> Generator[LoggedBatch]:
    rows = connection.execute(
        "SELECT offset, received_at, observed_at, app, n, skip, body FROM event_log "
        "WHERE offset > ? AND offset <= ? ORDER BY offset",
        (after, up_to),
    )
    # Whoever does not read to the end must not keep the read open: the cursor goes with the generator.
    with contextlib.closing(rows):
        for offset, received_at, observed_at, app, n, skip, stored in rows:
            body = expanded(stored)
            yield LoggedBatch(
                offset=offset,
                received_at=received_at,
                observed_at=observed_at,
                app=app,
                n=n,
                skip=msgspec.json.decode(skip, type=list[int]) if skip else [],
                body=body or b"",
                unreadable=body is None,
            )


def read_in_pieces(connection: Connection, after: int, up_to: int) -> Iterator[LoggedBatch]:
    """Yield the rows after an offset and up to another, in order; between two pieces no read is open.

    Raises:
        StorageError: The log's beginning was pruned while it was read.
    """
    while after < up_to:
        end = end_of_piece(connection, after, up_to)
        piece = list(_rows(connection, after, end)) if end is not None else []
        # Pruning takes a beginning; a gap with rows before it is somebody else's work, and the hash will tell.
        if (not piece or piece[0].offset > after + 1) and _begins_after(connection, after):
            raise StorageError(f"event log: row {after + 1}: pruned while it was read: begin again")
        yield from piece
        after = end if end is not None else up_to


def _begins_after(connection: Connection, offset: int) -> bool:
    return connection.execute("SELECT 1 FROM event_log WHERE offset <= ? LIMIT 1", (offset,)).fetchone() is None


def end(connection: Connection) -> int:
    """Return the place after the newest row."""
    return int(connection.execute("SELECT coalesce(max(offset), 0) + 1 FROM event_log").fetchone()[0])


def before(connection: Connection, offset: int) -> LoggedBatch | None:
    """Return the row before a place; None at the beginning."""
    found = connection.execute("SELECT max(offset) FROM event_log WHERE offset < ?", (offset,)).fetchone()[0]
    return next(_rows(connection, found - 1, found), None) if found is not None else None


def seen_answer(connection: Connection, key: str) -> str | None:
    """Return the answer that a batch with this idempotency key got before."""
    row = connection.execute("SELECT answer FROM idempotency WHERE key = ?", (key,)).fetchone()
    return str(row[0]) if row is not None else None


def remember_answer(connection: Connection, key: str, answer: str, at: float) -> None:
    """Keep an answer for re-posts of its batch."""
    connection.execute(_REMEMBER, (key, answer, at))
