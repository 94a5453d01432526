"""All that a folder's database holds, copied into an empty one of PostgreSQL's, as a whole or not at all.

The tables are the same in both. What only nodes need, such as who is elected, PostgreSQL's has beside them.

≠ whether the copy proves its ledger: `claxon verify` asks that.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from .connecting import Connection
from .database import Transaction, open_database
from .errors import StorageError
from .places import Place, PostgresUrl

ROWS = 200
"""So many are read, and then written, at a time; each may be some 100 KB."""

_MADE_BY_USE = ("event_log", "cursor", "snapshots", "ledger", "episodes", "outbox", "keys", "audit")
"""Tables that are empty where nobody was served yet."""

_COLUMNS = "SELECT column_name FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = ?"
_NUMBERED = f"{_COLUMNS} AND is_identity = 'YES'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """One table.

    Attributes:
        table: Its name.
        rows: How many it has.
    """

    table: str
    rows: int


def move(folder: Path, place: Place) -> list[Moved]:
    """Copy a folder's database, which is only read; return each table.

    Args:
        folder: Of a Claxon that does not run.
        place: An empty database of a server.

    Raises:
        StorageError: One of them cannot be opened, the folder is another version's, or the database is not empty.
        DatabaseError: A row could not be read or written; nothing is copied.
    """
    if not isinstance(place, PostgresUrl):
        raise StorageError(f"{place}: a folder: copy the files of a stopped Claxon, or see `claxon backup`")
    with closing(open_database(folder, create=False)) as old, closing(open_database(place)) as new:
        for table in _MADE_BY_USE:
            if new.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone() is not None:  # noqa: S608 — constants
                raise StorageError(f"{place}: not empty: {table} has rows: name a database that nobody has used")
        with Transaction(new):
            return [_copy(old, new, table) for table in _tables(old)]


def _tables(old: Connection) -> list[str]:
    rows = old.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite~_%' ESCAPE '~'")
    return sorted(str(name) for (name,) in rows)


def _copy(old: Connection, new: Connection, table: str) -> Moved:
    there = {str(name) for (name,) in new.execute(_COLUMNS, (table,)).fetchall()}
    columns = [str(row[1]) for row in old.execute(f"PRAGMA table_info({table})") if row[1] in there]
    named = ", ".join(f'"{name}"' for name in columns)
    marks = ", ".join("?" * len(columns))
    # A step may have put a first row into it.
    new.execute(f"DELETE FROM {table}")  # noqa: S608 — names of ours
    cursor = old.execute(f"SELECT {named} FROM {table}")  # noqa: S608
    count = 0
    while rows := [row for _, row in zip(range(ROWS), cursor, strict=False)]:
        new.executemany(f"INSERT INTO {table} ({named}) VALUES ({marks})", rows)  # noqa: S608
        count += len(rows)
    _go_on_counting(new, table)
    return Moved(table=table, rows=count)


def _go_on_counting(new: Connection, table: str) -> None:
    """Have the next row get a number of its own."""
    for (name,) in new.execute(_NUMBERED, (table,)).fetchall():
        newest = new.execute(f"SELECT max({name}) FROM {table}").fetchone()[0]  # noqa: S608
        if newest is not None:
            new.execute("SELECT setval(pg_get_serial_sequence(?, ?), ?)", (table, str(name), newest))
