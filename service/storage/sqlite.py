"""The database as a file of SQLite's: opened, checked, migrated.

≠ what the tables mean.
"""

from __future__ import annotations

import sqlite3
from importlib import resources
from pathlib import Path

from .corruption import FILE, is_corrupt, marked, set_aside, too_often
from .errors import CorruptError, InUseError, StorageError, is_locked
from .folder_lock import FolderLock, LockedError
from .sqlite_connection import SqliteConnection

_CACHE = "PRAGMA cache_size = -8000"
"""8 MB a reader at most: a search looks at the same pages again and again."""

_REMEDY = "name a folder that this user may write, by --data"
_IN_USE = "in use: another Claxon runs on it; name another folder by --data"


def open_database(folder: Path, *, create: bool = True) -> SqliteConnection:
    """Open to write, bring to the present schema, and create where it is not there yet, the database in a folder.

    A transaction is durable when it has committed: write-ahead log, and
    `synchronous=FULL`, which waits for the disk. The folder is locked until the connection is closed.

    Args:
        folder: Where the file is, or will be.
        create: False: a folder without a database is an error, and so is one of an older schema.

    Raises:
        CorruptError: The file is no database, or a damaged one, as far as a quick look tells.
        StorageError: The folder cannot be written, another one writes there, or the database is of a newer Claxon.
    """
    path = folder / FILE
    if not create and not path.is_file():
        raise StorageError(f"{path}: not there: name the folder of a Claxon's data by --data")
    lock = lock_folder(folder)
    try:
        _refuse_corrupt(folder)
    except BaseException:
        lock.release()
        raise
    try:
        connection = sqlite3.connect(
            path, isolation_level=None, check_same_thread=False, timeout=5, factory=SqliteConnection
        )
    except sqlite3.Error as fault:
        lock.release()
        raise StorageError(f"{path}: {fault}: {_REMEDY}") from fault
    connection.lock = lock
    try:
        _prepare(connection)
        _migrate(connection, path, may=create)
    except sqlite3.Error as fault:
        connection.close()
        if is_corrupt(fault):
            raise CorruptError(f"{path}: {fault}") from fault
        if is_locked(fault):
            raise InUseError(f"{path}: {_IN_USE}") from fault
        raise StorageError(f"{path}: {fault}: {_REMEDY}") from fault
    except StorageError:
        connection.close()
        raise
    return connection


def open_or_set_aside(folder: Path, *, at: float) -> tuple[SqliteConnection, Path | None]:
    """Open to write; where the database is corrupt, set it aside first, and begin a new one.

    Args:
        folder: Where the file is, or will be.
        at: The present, Unix seconds: the name of what is set aside holds it.

    Returns:
        The connection, and what was set aside, if anything was.

    Raises:
        StorageError: As `open_database`; or it was set aside so often lately that the disk must be broken.
    """
    try:
        return open_database(folder), None
    except CorruptError as fault:
        why = str(fault)
    if too_often(folder, at=at):
        raise StorageError(f"{why}: the sixth within a day: look at the disk, and move away the {FILE}.corrupt-* files")
    lock = lock_folder(folder)
    try:
        kept = set_aside(folder, why, at=at)
    except OSError as fault:
        raise StorageError(f"{why}: cannot be set aside: {fault}: {_REMEDY}") from fault
    finally:
        lock.release()
    return open_database(folder), kept


def open_reader(folder: Path) -> SqliteConnection:
    """Open the database in a folder to read, while a service writes it or not; any thread may use it, one at a time.

    Nothing is waited for and nobody waits: what is read is of the last commit before
    the read began. A read that goes on keeps the write-ahead log from being emptied, so
    end each soon: fetch all, in pieces, or inside a `ReadTransaction`.

    Raises:
        StorageError: There is no database, it is of another schema, or it cannot be read.
    """
    path = folder / FILE
    if not path.is_file():
        raise StorageError(f"{path}: not there: name the folder of a Claxon's data by --data")
    connection = open_file(path)
    try:
        _migrate(connection, path, may=False)
        connection.execute(_CACHE)
    except StorageError:
        connection.close()
        raise
    return connection


def open_file(path: Path) -> SqliteConnection:
    """Open any database of Claxon's to read, also one of an older schema, such as a backup.

    Raises:
        CorruptError: It is no database, or a damaged one, as far as a quick look tells.
        StorageError: It cannot be read, or is none of Claxon's, or of a newer one.
    """
    if not path.is_file():
        raise StorageError(f"{path}: not there: name a file that `claxon backup` wrote")
    connection = connect_to_read(path)
    try:
        connection.execute("PRAGMA query_only = ON")
        _probe(connection)
        known = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'event_log'").fetchone()
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    except sqlite3.Error as fault:
        connection.close()
        if is_corrupt(fault):
            raise CorruptError(f"{path}: {fault}") from fault
        if is_locked(fault):
            raise StorageError(f"{path}: in use by an older Claxon, which lets nobody read: stop it first") from fault
        raise StorageError(f"{path}: {fault}: name a file that this user may read, in a folder he may write") from fault
    if known is None or version > len(migrations()):
        connection.close()
        said = "made by a newer Claxon" if known else "no database of Claxon's"
        raise StorageError(f"{path}: {said}: name a file that `claxon backup` wrote")
    return connection


def lock_folder(folder: Path) -> FolderLock:
    """Make a folder where it is not there, and keep others out of it.

    Raises:
        StorageError: Another one is in it, or it cannot be written.
    """
    path = folder / FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return FolderLock(folder)
    except LockedError as fault:
        raise InUseError(f"{path}: {_IN_USE}") from fault
    except OSError as fault:
        raise StorageError(f"{path}: {fault}: {_REMEDY}") from fault


def migrations() -> list[str]:
    """Return the scripts that lead from each schema to the next; the first makes schema 1 from nothing."""
    folder = resources.files(__package__).joinpath("migrations/sqlite")
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


def connect_to_read(path: Path) -> SqliteConnection:
    """Connect; nothing is opened, and so nothing can be wrong, before the first read."""
    uri = f"{path.resolve().as_uri()}?mode=ro"
    return sqlite3.connect(
        uri, uri=True, isolation_level=None, check_same_thread=False, timeout=5, factory=SqliteConnection
    )


def _refuse_corrupt(folder: Path) -> None:
    """Look at the database without writing: who opens a damaged one to write empties its log into it at the end."""
    path = folder / FILE
    if why := marked(folder):
        raise CorruptError(f"{path}: {why}")
    if not path.is_file():
        return
    try:
        connection = connect_to_read(path)
        try:
            _probe(connection)
        finally:
            connection.close()
    except sqlite3.Error as fault:
        if is_corrupt(fault):
            raise CorruptError(f"{path}: {fault}") from fault
        # Whatever else is wrong is met, and said, by who opens it to write.


def _probe(connection: sqlite3.Connection) -> None:
    """Read both ends of every table: cheap, however large the file, and what a restart is about to read lies there."""
    tables = connection.execute(
        "SELECT name, wr FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite_%'"
    ).fetchall()
    for name, without_rowid in tables:
        connection.execute(f'SELECT * FROM "{name}" LIMIT 1').fetchone()  # noqa: S608 — a name of our own schema
        if not without_rowid:
            connection.execute(f'SELECT * FROM "{name}" ORDER BY rowid DESC LIMIT 1').fetchone()  # noqa: S608


def _prepare(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA page_size = 8192")
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA wal_autocheckpoint = 4000")
    # Some builds of SQLite write zeros over all that is deleted, which takes as long as writing it did.
    connection.execute("PRAGMA secure_delete = FAST")
    # What a long read made of it is given back once it is emptied.
    connection.execute(f"PRAGMA journal_size_limit = {64 * 1024 * 1024}")
    # An older Claxon locks the file itself.
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("COMMIT")
