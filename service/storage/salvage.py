"""Salvage: every row of a damaged database that can still be read, into a new one.

≠ what the rows mean, whether they belong together.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from .corruption import is_corrupt
from .database import Transaction
from .errors import CorruptError, StorageError
from .sqlite import connect_to_read, migrations, open_database
from .sqlite_connection import SqliteConnection

Row: TypeAlias = tuple[Any, ...]

PIECE = 200
"""Rows of one transaction."""

_LONGEST_STEP = 64
_GIVE_UP = 20_000
"""So many steps into nothing but damage are the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Salvaged:
    """What became of one table.

    Attributes:
        table: Its name.
        rows: How many were read.
        whole: Whether nothing of it was damaged.
    """

    table: str
    rows: int
    whole: bool


def salvage(file: Path, folder: Path) -> Iterator[Salvaged]:
    """Copy what can be read of a damaged database into a new one; yield each table when it is done.

    Args:
        file: The damaged one; it is only read, and a write-ahead log beside it too.
        folder: For the new one; it must not hold a database.

    Raises:
        StorageError: Not even the schema can be read, it is another Claxon's, or the folder holds a database.
    """
    if any(folder.glob("claxon.sqlite3*")):
        raise StorageError(f"{folder}: holds a database: name an empty folder by --data")
    if not file.is_file():
        raise StorageError(f"{file}: not there: name the file that was set aside")
    source = connect_to_read(file)
    source.text_factory = lambda raw: raw.decode("utf-8", "replace")
    try:
        _check_schema(source, file)
        target = open_database(folder)
        try:
            # Nobody misses half of it.
            target.execute("PRAGMA synchronous = OFF")
            for name, without_rowid in _tables(target):
                yield _copy(source, target, name, by_rowid=not without_rowid)
            target.execute("PRAGMA synchronous = FULL")
            target.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        finally:
            target.close()
    finally:
        source.close()


def _check_schema(source: sqlite3.Connection, file: Path) -> None:
    try:
        version = int(source.execute("PRAGMA user_version").fetchone()[0])
        source.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error as fault:
        raise CorruptError(f"{file}: not even its schema can be read: {fault}: restore a backup") from fault
    if version != len(migrations()):
        raise StorageError(
            f"{file}: schema {version}, this Claxon has {len(migrations())}: salvage with the one it was"
        )


def _tables(connection: sqlite3.Connection) -> list[tuple[str, bool]]:
    rows = connection.execute(
        "SELECT name, wr FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite_%'"
    )
    return [(str(name), bool(wr)) for name, wr in rows]


def _copy(source: sqlite3.Connection, target: SqliteConnection, name: str, *, by_rowid: bool) -> Salvaged:
    reading = _Reading(source)
    found = _by_rowid(reading, name) if by_rowid else _by_key(reading, name)
    rows, piece = 0, list[Row]()
    for row in found:
        piece.append(row)
        if len(piece) == PIECE:
            rows += _insert(target, name, piece)
            piece.clear()
    rows += _insert(target, name, piece)
    return Salvaged(table=name, rows=rows, whole=not reading.damage)


def _insert(target: SqliteConnection, name: str, rows: list[Row]) -> int:
    if not rows:
        return 0
    places = ", ".join("?" * len(rows[0]))
    with Transaction(target):
        # What a damaged page shows twice, or with nothing where something must be, is left out.
        return target.executemany(f'INSERT OR IGNORE INTO "{name}" VALUES ({places})', rows).rowcount  # noqa: S608


class _Reading:
    """Reads until something damaged is met, and counts how often that was."""

    def __init__(self, source: sqlite3.Connection) -> None:
        self.source = source
        self.damage = 0

    def rows(self, query: str) -> Iterator[Row]:
        try:
            yield from self.source.execute(query)
        except sqlite3.DatabaseError as fault:
            if not is_corrupt(fault):
                raise
            self.damage += 1


def _by_rowid(reading: _Reading, name: str) -> Iterator[Row]:
    """Yield the rows up to what is damaged, step over that, go on; steps grow, for a page holds many rows."""
    begin, step, failed = -(2**63), 1, 0
    while failed < _GIVE_UP:
        met, last = reading.damage, None
        query = f'SELECT rowid, * FROM "{name}" WHERE rowid >= {begin} ORDER BY rowid'  # noqa: S608
        for rowid, *row in reading.rows(query):
            last = rowid
            yield tuple(row)
        if reading.damage == met:
            return
        if last is None:
            begin = (max(begin, 0)) + step
            step, failed = min(2 * step, _LONGEST_STEP), failed + 1
        else:
            begin, step, failed = last + 1, 1, 0


def _by_key(reading: _Reading, name: str) -> Iterator[Row]:
    """Yield the rows before the first thing damaged, and those behind the last."""
    columns = reading.source.execute("SELECT name FROM pragma_table_info(?) WHERE pk > 0 ORDER BY pk", (name,))
    keys = [f'"{row[0]}"' for row in columns]
    yield from reading.rows(f'SELECT * FROM "{name}" ORDER BY {", ".join(keys)}')  # noqa: S608
    if reading.damage:
        yield from reading.rows(f'SELECT * FROM "{name}" ORDER BY {", ".join(f"{key} DESC" for key in keys)}')  # noqa: S608
