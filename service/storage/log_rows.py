"""Rows of the event log without their bodies: looked through from the newest to the oldest, deleted from the oldest on.

≠ what is in a body, what is appended.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from .connecting import Connection

PIECE = 32
"""Rows that are read at once."""

NEVER = 2**62
"""An offset that no row has."""

_COLUMNS = "offset, received_at, observed_at, app, n, skip"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A batch of the log, without its body.

    Attributes:
        offset: Its place.
        received_at: When its events arrived.
        observed_at: When the engine took them.
        app: Of events that name none.
        n: How many events it holds, but for those of `skip`; 0 is no batch.
        skip: Indexes that an earlier batch already held.
    """

    offset: int
    received_at: float
    observed_at: float
    app: str
    n: int
    skip: list[int]


def row(connection: Connection, offset: int) -> Row | None:
    """Return one row; None if it was pruned."""
    found = connection.execute(f"SELECT {_COLUMNS} FROM event_log WHERE offset = ?", (offset,))  # noqa: S608
    return next((_row(*values) for values in found.fetchall()), None)


def backwards(connection: Connection, last: int) -> Iterator[Row]:
    """Yield the rows from `last` to the oldest."""
    query = f"SELECT {_COLUMNS} FROM event_log WHERE offset <= ? ORDER BY offset DESC LIMIT ?"  # noqa: S608
    while rows := connection.execute(query, (last, PIECE)).fetchall():
        for values in rows:
            yield _row(*values)
        last = rows[-1][0] - 1


def body_of(connection: Connection, offset: int) -> bytes:
    """Return the body of a row as it is stored, compressed; empty if it was pruned."""
    found = connection.execute("SELECT body FROM event_log WHERE offset = ?", (offset,)).fetchone()
    return bytes(found[0]) if found is not None else b""


def ends(connection: Connection) -> tuple[int, int]:
    """Return the first and the last row; of an empty log `(NEVER, -1)`."""
    # Asked for together, SQLite would look at every row.
    first = connection.execute("SELECT min(offset) FROM event_log").fetchone()[0]
    if first is None:
        return NEVER, -1
    return int(first), int(connection.execute("SELECT max(offset) FROM event_log").fetchone()[0])


def last_before(connection: Connection, at: float) -> int:
    """Return the last row that was observed before an instant, -1 for none; rows are looked up, not read.

    Where a clock was set back it may be another one nearby.
    """
    first, last = ends(connection)
    found = first - 1 if last >= 0 else -1
    query = "SELECT offset, observed_at FROM event_log WHERE offset <= ? ORDER BY offset DESC LIMIT 1"
    while first <= last:
        middle = (first + last) // 2
        offset, observed_at = connection.execute(query, (middle,)).fetchone()
        if observed_at < at:
            found, first = offset, middle + 1
        else:
            last = offset - 1
    return found


class Dropped(msgspec.Struct, frozen=True):
    """What was deleted: rows, events in them, and when the last of them was taken (None: none was)."""

    rows: int = 0
    events: int = 0
    newest_at: float | None = None


def drop_oldest(connection: Connection, *, before: float | None, up_to: int, rows: int) -> Dropped:
    """Delete the oldest rows, so many at most, none after an offset; with `before` only those observed before it.

    The newest row stays, however old: the next one is numbered after it, and snapshots
    and the cursor name rows by number.
    """
    up_to = min(up_to, ends(connection)[1] - 1)
    # A beginning, never rows from between: a clock that was once set back must leave no gap.
    query = "SELECT offset, observed_at, n FROM event_log WHERE offset <= ? ORDER BY offset LIMIT ?"
    last, events, newest_at, count = -1, 0, None, 0
    for offset, observed_at, n in connection.execute(query, (up_to, rows)).fetchall():
        if before is not None and observed_at >= before:
            break
        last, newest_at, events, count = offset, observed_at, events + n, count + 1
    if not count:
        return Dropped()
    connection.execute("DELETE FROM event_log WHERE offset <= ?", (last,))
    return Dropped(count, events, newest_at)


def _row(offset: int, received_at: float, observed_at: float, app: str, n: int, skip: str) -> Row:
    return Row(
        offset=offset,
        received_at=received_at,
        observed_at=observed_at,
        app=app,
        n=n,
        skip=msgspec.json.decode(skip, type=list[int]) if skip else [],
    )
