"""Retention: deletes what is too old or too much, the oldest first, a slice at a time.

Each function is one slice, inside the caller's transaction, and says whether more is
left to do. Nothing goes that a restart or the ledger's proof needs: of the log only
what is before the oldest snapshot that is kept, and the two newest snapshots are.

≠ when, how much a slice is.
"""

from __future__ import annotations

from dataclasses import dataclass

from . import failure_segments, failures, log_rows, snapshots
from .connecting import Connection, Dialect

REMEMBER_S = 86_400.0
"""How long idempotency keys and event ids are remembered."""

SPARE = 0.25
"""Of the file's pages that may be free, for they are written to next: more are given back."""

_ANCHORS = 8  # beginnings of a proof that the log has, about
_LEAST_FREE = 2048  # pages: 16 MB


_ON_DISK = """
SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class
WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """Of the database, in bytes.

    Attributes:
        used: Of what it holds.
        free: Of the file that holds nothing, and is written to next.
    """

    used: int
    free: int


def size(connection: Connection) -> Size:
    """Return how large the database is."""
    if connection.dialect is Dialect.POSTGRES:
        return Size(used=int(connection.execute(_ON_DISK).fetchone()[0]), free=0)
    pages, free, bytes_ = (
        int(connection.execute(f"PRAGMA {name}").fetchone()[0])
        for name in ("page_count", "freelist_count", "page_size")
    )
    return Size(used=(pages - free) * bytes_, free=free * bytes_)


def settle(connection: Connection) -> None:
    """Copy what was moved into the file, between slices: else all of it is at once, later, while a batch waits."""
    if connection.dialect is Dialect.SQLITE:
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


def oldest_at(connection: Connection) -> float | None:
    """Return when the oldest row of the log was taken; None of an empty log."""
    row = log_rows.row(connection, log_rows.ends(connection)[0])
    return row.observed_at if row is not None else None


def drop_aged(connection: Connection, *, before: float, rows: int) -> log_rows.Dropped:
    """Delete the oldest rows of the log that were taken before an instant."""
    needed_after = snapshots.drop_anchors(connection, before=before)
    return log_rows.drop_oldest(connection, before=before, up_to=needed_after, rows=rows)


def drop_oldest(connection: Connection, *, rows: int) -> log_rows.Dropped:
    """Delete the oldest rows of the log, whatever their age.

    Where the oldest snapshot stands in the way it goes first, if it is none of the two newest: the ledger is
    proved from the next one on.
    """
    needed_after = snapshots.oldest(connection)
    dropped = log_rows.drop_oldest(connection, before=None, up_to=needed_after, rows=rows)
    if dropped.rows or not snapshots.drop_oldest_anchor(connection):
        return dropped
    return log_rows.drop_oldest(connection, before=None, up_to=snapshots.oldest(connection), rows=rows)


def anchor(connection: Connection, *, age_s: float, by_rows: bool) -> None:
    """Make the newest snapshot one that is kept, if an eighth of what is kept of the log came since the last such one.

    Args:
        connection: The database.
        age_s: How long the log is kept.
        by_rows: Whether its size limits it, too.
    """
    first, last = log_rows.ends(connection)
    rows = max(1, (last - first) // _ANCHORS) if by_rows else log_rows.NEVER
    snapshots.anchor_newest(connection, rows=rows, seconds=age_s / _ANCHORS)


def drop_index(connection: Connection, *, rows: int) -> bool:
    """Delete of the index of failures what the log does not hold any more; return whether there may be more."""
    gone = log_rows.ends(connection)[0] - 1
    if failures.drop(connection, up_to=gone, rows=rows) == rows:
        return True
    return failure_segments.delete_one(connection, up_to=gone)


def forget_names(connection: Connection, *, before: float, rows: int) -> bool:
    """Forget idempotency keys and event ids from before an instant; return whether there may be more."""
    oldest = "SELECT {0} FROM {1} WHERE at < ? ORDER BY at LIMIT ?"
    keys = f"DELETE FROM idempotency WHERE key IN ({oldest.format('key', 'idempotency')})"  # noqa: S608
    ids = f"DELETE FROM event_ids WHERE id IN ({oldest.format('id', 'event_ids')})"  # noqa: S608
    return max([connection.execute(query, (before, rows)).rowcount for query in (keys, ids)]) == rows


def give_back(connection: Connection, *, pages: int) -> bool:
    """Cut free pages off the file; return whether there are still more than need be."""
    if connection.dialect is not Dialect.SQLITE:
        return False  # Autovacuum does.
    total, free = _pragmas(connection, "page_count", "freelist_count")
    spare = max(_LEAST_FREE, int(total * SPARE))
    if free <= spare:
        return False
    for _ in range(min(pages, free - spare)):
        # One page each: sqlite3 takes a single step of it, whatever number is asked for.
        connection.execute("PRAGMA incremental_vacuum(1)")
    return free - pages > spare


def _pragmas(connection: Connection, *names: str) -> list[int]:
    return [int(connection.execute(f"PRAGMA {name}").fetchone()[0]) for name in names]
