"""The event log: durable, ordered, one row a batch.

≠ rules, HTTP.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import msgspec
import zstandard

_COMPRESS = zstandard.ZstdCompressor(level=1)
_EXPAND = zstandard.ZstdDecompressor()


class LoggedBatch(msgspec.Struct, kw_only=True):
    """One row: a batch as it was posted, or, with n = 0, a restart.

    Attributes:
        offset: Its place in the log; 0 before it is appended.
        received_at: When the events arrived, for those without a time.
        observed_at: When the engine took them.
        app: The app of events that name none.
        n: How many events there are.
        skip: Indexes of those that an earlier batch already held.
        body: A JSON array.
    """

    received_at: float
    observed_at: float
    app: str
    n: int
    body: bytes
    skip: list[int] = msgspec.field(default_factory=list)
    offset: int = 0


def compress(body: bytes) -> bytes:
    """Return a body as it is stored; lets other threads run meanwhile."""
    return _COMPRESS.compress(body)


def append(connection: sqlite3.Connection, batch: LoggedBatch, stored: bytes) -> int:
    """Append a batch inside the caller's transaction; return its offset."""
    skip = msgspec.json.encode(batch.skip).decode() if batch.skip else ""
    row = (batch.received_at, batch.observed_at, batch.app, batch.n, skip, stored)
    inserted = connection.execute(
        "INSERT INTO event_log (received_at, observed_at, app, n, skip, body) VALUES (?, ?, ?, ?, ?, ?)", row
    )
    return int(inserted.lastrowid or 0)


def read(connection: sqlite3.Connection, after: int) -> Iterator[LoggedBatch]:
    """Yield the batches after an offset, in order."""
    rows = connection.execute("SELECT * FROM event_log WHERE offset > ? ORDER BY offset", (after,))
    for offset, received_at, observed_at, app, n, skip, body in rows:
        yield LoggedBatch(
            offset=offset,
            received_at=received_at,
            observed_at=observed_at,
            app=app,
            n=n,
            skip=msgspec.json.decode(skip, type=list[int]) if skip else [],
            body=_EXPAND.decompress(body) if n else b"[]",
        )


def prune(connection: sqlite3.Connection, *, before: float, up_to: int) -> int:
    """Delete batches observed before an instant, none after an offset; return how many went."""
    gone = connection.execute("DELETE FROM event_log WHERE observed_at < ? AND offset <= ?", (before, up_to))
    return gone.rowcount


def seen_answer(connection: sqlite3.Connection, key: str) -> str | None:
    """Return the answer that a batch with this idempotency key got before."""
    row = connection.execute("SELECT answer FROM idempotency WHERE key = ?", (key,)).fetchone()
    return str(row[0]) if row is not None else None


def remember_answer(connection: sqlite3.Connection, key: str, answer: str, at: float) -> None:
    """Keep an answer for re-posts of its batch."""
    connection.execute("INSERT OR REPLACE INTO idempotency (key, answer, at) VALUES (?, ?, ?)", (key, answer, at))


def claim_event_id(connection: sqlite3.Connection, event_id: str, at: float) -> bool:
    """Note an event id; return whether it is new."""
    return connection.execute("INSERT OR IGNORE INTO event_ids (id, at) VALUES (?, ?)", (event_id, at)).rowcount == 1


def forget_ids(connection: sqlite3.Connection, before: float) -> None:
    """Delete idempotency keys and event ids from before an instant."""
    connection.execute("DELETE FROM idempotency WHERE at < ?", (before,))
    connection.execute("DELETE FROM event_ids WHERE at < ?", (before,))
