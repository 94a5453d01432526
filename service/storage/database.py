"""The SQLite database: opened, checked, migrated.

≠ what the tables mean.
"""

from __future__ import annotations

import sqlite3
from importlib import resources
from pathlib import Path

FILE = "claxon.sqlite3"


class StorageError(Exception):
    """The database cannot be used; the text is *where: value: remedy*."""


class Transaction:
    """One write transaction; rolls back on any fault."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            try:
                self._connection.execute("COMMIT")
            except sqlite3.Error:
                # On some faults, such as a full disk, SQLite has rolled back itself.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
        elif self._connection.in_transaction:
            self._connection.execute("ROLLBACK")


def open_database(folder: Path, *, create: bool = True) -> sqlite3.Connection:
    """Open, bring to the present schema, and create where it is not there yet, the database in a folder.

    A transaction is durable when it has committed: write-ahead log, and
    `synchronous=FULL`, which waits for the disk.

    Args:
        folder: Where the file is, or will be.
        create: False: a folder without a database is an error, and so is one of an older schema.

    Raises:
        StorageError: The folder cannot be written, or the file is no database of ours.
    """
    path = folder / FILE
    remedy = "name a folder that this user may write, by --data"
    if not create and not path.is_file():
        raise StorageError(f"{path}: not there: name the folder of a Claxon's data by --data")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)
    except (OSError, sqlite3.Error) as fault:
        raise StorageError(f"{path}: {fault}: {remedy}") from fault
    try:
        _prepare(connection)
        _migrate(connection, path, may=create)
    except sqlite3.Error as fault:
        connection.close()
        if "locked" in str(fault):
            raise StorageError(f"{path}: in use: another Claxon runs on it; name another folder by --data") from fault
        raise StorageError(f"{path}: {fault}: {remedy}") from fault
    except StorageError:
        connection.close()
        raise
    return connection


def migrations() -> list[str]:
    """Return the scripts that lead from each schema to the next; the first makes schema 1 from nothing."""
    folder = resources.files(__package__).joinpath("migrations")
    found = {entry.name: entry.read_text("utf-8") for entry in folder.iterdir() if entry.name.endswith(".sql")}
    return [found[name] for name in sorted(found)]


def _migrate(connection: sqlite3.Connection, path: Path, *, may: bool) -> None:
    scripts = migrations()
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > len(scripts):
        raise StorageError(f"{path}: schema {version}: made by a newer Claxon; this one knows {len(scripts)}")
    if version < len(scripts) and not may:
        raise StorageError(f"{path}: schema {version}: of an older Claxon: start `claxon serve` on it once")
    for number, script in enumerate(scripts[version:], version + 1):
        try:
            # One transaction each: a crash leaves the schema before or the one after.
            connection.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {number};\nCOMMIT;")
        except sqlite3.Error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def _prepare(connection: sqlite3.Connection) -> None:
    # Two services on one file would page twice: the second fails here at once.
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("PRAGMA page_size = 8192")
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA wal_autocheckpoint = 4000")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("COMMIT")
