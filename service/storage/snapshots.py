"""Snapshots, and the cursor: what the engine knew, and up to where its decisions are committed.

≠ what a state holds.
"""

from __future__ import annotations

from typing import Generic, TypeVar

import msgspec
import zstandard

from . import zstd
from .connecting import Connection

T = TypeVar("T")


ANCHOR_EVERY_S = 7 * 86_400.0
"""How often a snapshot becomes an anchor: kept as long as the log after it is."""


_MOVE = """
INSERT INTO cursor (one, offset, at, hash, decided) VALUES (1, ?, ?, ?, ?) ON CONFLICT (one)
DO UPDATE SET offset = excluded.offset, at = excluded.at, hash = excluded.hash, decided = excluded.decided
"""


class Snapshot(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """A stored state.

    Attributes:
        offset: The last row of the log that it holds.
        rules: The rules it was made with, as text.
        state: What was saved.
    """

    offset: int
    rules: str
    state: T


class Cursor(msgspec.Struct, frozen=True, kw_only=True):
    """Up to where decisions are committed: all of rows <= offset, and of instants <= at.

    Attributes:
        hash: The engine's ledger hash there; "" is not known.
        decided: How many decisions it covers.
    """

    offset: int = 0
    at: float = float("-inf")
    hash: str = ""
    decided: int = 0


def save(connection: Connection, *, offset: int, at: float, rules: str, state: object) -> int:
    """Store a state, keep one older and the anchors, inside the caller's transaction; return its size in bytes."""
    # Counts repeat themselves: a tenth of the bytes is left, and writing those takes longer than this.
    body = zstd.compress(msgspec.msgpack.encode(state))
    latest = connection.execute("SELECT max(at) FROM snapshots WHERE anchor = 1").fetchone()[0]
    anchor = latest is None or not 0 <= at - latest < ANCHOR_EVERY_S
    connection.execute(
        "INSERT INTO snapshots (offset, at, rules, anchor, body) VALUES (?, ?, ?, ?, ?)",
        (offset, at, rules, int(anchor), body),
    )
    connection.execute(
        "DELETE FROM snapshots WHERE anchor = 0 AND id NOT IN (SELECT id FROM snapshots ORDER BY id DESC LIMIT 2)"
    )
    return len(body)


def load_newest(connection: Connection, kind: type[T]) -> Snapshot[T] | None:
    """Return the newest snapshot that can be read."""
    return _first(connection, "SELECT id FROM snapshots ORDER BY id DESC", kind)


def load_oldest(connection: Connection, kind: type[T]) -> Snapshot[T] | None:
    """Return the oldest snapshot that can be read."""
    return _first(connection, "SELECT id FROM snapshots ORDER BY id", kind)


def _first(connection: Connection, query: str, kind: type[T]) -> Snapshot[T] | None:
    # One at a time: each may be large.
    for (number,) in connection.execute(query).fetchall():
        found = connection.execute("SELECT offset, rules, body FROM snapshots WHERE id = ?", (number,))
        offset, rules, body = found.fetchone()
        try:
            state = msgspec.msgpack.decode(zstd.expand(body), type=kind)
            return Snapshot(offset=int(offset), rules=rules, state=state)
        except (msgspec.MsgspecError, zstandard.ZstdError):
            continue
    return None


def drop_anchors(connection: Connection, *, before: float) -> int:
    """Drop the anchors that are too old, and return up to which row the log is no longer needed."""
    newest = "(SELECT max(id) FROM snapshots WHERE at < ?)"
    connection.execute(f"DELETE FROM snapshots WHERE anchor = 1 AND id < {newest}", (before,))  # noqa: S608
    return oldest(connection)


def oldest(connection: Connection) -> int:
    """Return up to which row the log is no longer needed; 0 without a snapshot."""
    return int(connection.execute("SELECT min(offset) FROM snapshots").fetchone()[0] or 0)


def drop_oldest_anchor(connection: Connection) -> bool:
    """Drop the oldest snapshot, unless it is one of the two newest; return whether it went."""
    newest = "SELECT id FROM snapshots ORDER BY id DESC LIMIT 2"
    oldest_ = "SELECT id FROM snapshots ORDER BY offset, id LIMIT 1"
    query = f"DELETE FROM snapshots WHERE id = ({oldest_}) AND id NOT IN ({newest})"  # noqa: S608
    return connection.execute(query).rowcount > 0


def anchor_newest(connection: Connection, *, rows: int, seconds: float) -> None:
    """Keep the newest snapshot as long as the log after it, if the last such one is so many rows or seconds older."""
    connection.execute(
        "UPDATE snapshots SET anchor = 1 WHERE id = (SELECT max(id) FROM snapshots) AND "
        "(offset >= ? + (SELECT coalesce(max(offset), 0) FROM snapshots WHERE anchor = 1)"
        " OR at >= ? + (SELECT coalesce(max(at), 0) FROM snapshots WHERE anchor = 1))",
        (rows, seconds),
    )


def load_cursor(connection: Connection) -> Cursor:
    """Return up to where decisions are committed."""
    row = connection.execute("SELECT offset, at, hash, decided FROM cursor").fetchone()
    if row is None:
        return Cursor()
    return Cursor(offset=int(row[0]), at=float(row[1]), hash=str(row[2]), decided=int(row[3]))


def save_cursor(connection: Connection, cursor: Cursor) -> None:
    """Move the cursor, in the transaction that commits the decisions."""
    connection.execute(
        _MOVE,
        (cursor.offset, cursor.at, cursor.hash, cursor.decided),
    )
