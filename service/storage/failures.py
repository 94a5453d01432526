"""The newest failures: noted with their batch, read back, and dropped once they are sorted into a segment.

≠ segments, what is asked.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from claxon.event import Event

from .connecting import Connection

MANY = 64
"""Failures of a batch from which it matters how large a part of it they are."""

_ENCODE = msgspec.msgpack.Encoder()
_DECODE = msgspec.msgpack.Decoder(list[tuple[int, Event]])


def add(connection: Connection, offset: int, failed: Sequence[tuple[int, Event]], *, of: int) -> None:
    """Note the failures of a batch that was just appended, inside the caller's transaction.

    Args:
        connection: The database.
        offset: The batch's row of the log.
        failed: Completed events that are no success, each with its place in the logged body, without those that
            the batch's `skip` leaves out.
        of: How many events the batch has.
    """
    newest = max([event.at for _, event in failed])
    # Of a large batch that failed as a whole the log's own blob is as good, and is written already.
    body = None if len(failed) >= MANY and 2 * len(failed) >= of else _ENCODE.encode(failed)
    connection.execute("INSERT INTO failures_new VALUES (?, ?, ?, ?)", (offset, len(failed), newest, body))


def waiting(connection: Connection, *, rows: int) -> list[tuple[int, int]]:
    """Return the oldest batches that are not sorted yet: offset, and how many failures."""
    found = connection.execute("SELECT offset, n FROM failures_new ORDER BY offset LIMIT ?", (rows,))
    return [(int(offset), int(n)) for offset, n in found.fetchall()]


def bounds(connection: Connection, *, after: int, since: float) -> list[tuple[float, int]]:
    """Return the batches after a row of the log with a failure at or after an instant: the latest instant, offset."""
    query = "SELECT newest, offset FROM failures_new WHERE offset > ? AND newest >= ?"
    return [(float(newest), int(offset)) for newest, offset in connection.execute(query, (after, since)).fetchall()]


def body_of(connection: Connection, offset: int) -> bytes | None:
    """Return the failures of one batch, encoded; None if they stand in the log alone."""
    row = connection.execute("SELECT body FROM failures_new WHERE offset = ?", (offset,)).fetchone()
    return row[0] if row is not None else None


def decoded(body: bytes) -> list[tuple[int, Event]]:
    """Return the failures of a body, each with its place in the batch."""
    return _DECODE.decode(body)


def drop(connection: Connection, *, up_to: int, rows: int) -> int:
    """Delete the oldest rows, so many at most, none of a batch after `up_to`; return how many went."""
    last = connection.execute(
        "SELECT max(offset) FROM (SELECT offset FROM failures_new WHERE offset <= ? ORDER BY offset LIMIT ?) AS oldest",
        (up_to, rows),
    ).fetchone()[0]
    if last is None:
        return 0
    return connection.execute("DELETE FROM failures_new WHERE offset <= ?", (last,)).rowcount


def unindexed(connection: Connection) -> int:
    """Return the last row of the log that was there before the index and is not in it yet; -1 is none."""
    row = connection.execute("SELECT last FROM failures_unindexed").fetchone()
    return int(row[0]) if row is not None else -1


def index_down_to(connection: Connection, last: int) -> None:
    """Note that only rows up to `last` are not in the index now."""
    connection.execute("UPDATE failures_unindexed SET last = ?", (last,))
