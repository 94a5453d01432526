"""The SQLite database: opened, checked, migrated.

≠ what the tables mean.
"""

from __future__ import annotations

import sqlite3
from importlib import resources
from pathlib import Path

SCHEMA_VERSION = 1


class StorageError(Exception):
    """The database cannot be used; the text is *where: value: remedy*."""


def open_database(folder: Path) -> sqlite3.Connection:
    """Open, and create where it is not there yet, the database in a folder.

    A transaction is durable when it has committed: write-ahead log, and
    `synchronous=FULL`, which waits for the disk.

    Raises:
        StorageError: The folder cannot be written, or the file is no database of ours.
    """
    path = folder / "claxon.sqlite3"
    remedy = "name a folder that this user may write, by --data"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)
    except (OSError, sqlite3.Error) as fault:
        raise StorageError(f"{path}: {fault}: {remedy}") from fault
    try:
        _prepare(connection)
        _migrate(connection, path)
    except sqlite3.Error as fault:
        connection.close()
        if "locked" in str(fault):
            raise StorageError(f"{path}: in use: another Claxon runs on it; name another folder by --data") from fault
        raise StorageError(f"{path}: {fault}: {remedy}") from fault
    except StorageError:
        connection.close()
        raise
    return connection


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > SCHEMA_VERSION:
        raise StorageError(f"{path}: schema {version}: made by a newer Claxon; this one knows {SCHEMA_VERSION}")
    connection.executescript(resources.files(__package__).joinpath("schema.sql").read_text("utf-8"))
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


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
