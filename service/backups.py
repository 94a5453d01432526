"""Backups: a copy that was proved, and what is put back from one.

≠ how a database is copied.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import clock
from .proof import Proof, prove
from .storage.copying import copy_database
from .storage.corruption import FILE, REPLACED_INFIX, set_aside, sync_folder
from .storage.errors import DatabaseError, StorageError
from .storage.sqlite import lock_folder, open_file, open_reader

REST = 1.0
"""After a slice that took a second, the copying rests for so many: the disk belongs to the service."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """What was written.

    Attributes:
        size: Bytes.
        seconds: How long the copy took.
        offset: The last row of the log that it holds.
        proof: Its log, decided again; None where that was not wanted.
    """

    size: int
    seconds: float
    offset: int
    proof: Proof | None


def back_up(folder: Path, target: Path, *, force: bool, with_proof: bool) -> Backup:
    """Copy the database of a folder, beside a service that runs or without one, look at the copy, and name it last.

    Args:
        folder: Of the data.
        target: The new file; there is never half of it under that name.
        force: Whether one that is there is replaced.
        with_proof: Whether the log is decided again from the copy.

    Raises:
        StorageError: It cannot be read or written, the target is there, or the copy is damaged, as its source must be.
    """
    if target.exists() and not force:
        raise StorageError(f"{target}: is there already: name another file, or replace it by --force")
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    source = open_reader(folder)
    try:
        began_at = clock.monotonic()
        size = copy_database(source, partial, rest=_resting())
        seconds = clock.monotonic() - began_at
        offset, proof = _look_at(partial, with_proof=with_proof)
        if target.exists() and not force:
            raise StorageError(f"{target}: came to be meanwhile: name another file, or replace it by --force")
        partial.rename(target)
        sync_folder(target.parent)
    except (OSError, DatabaseError) as fault:
        raise StorageError(f"{target}: {fault}: is there space, and may this user write there?") from fault
    finally:
        source.close()
        _drop(partial)
    return Backup(size=size, seconds=seconds, offset=offset, proof=proof)


def restore(file: Path, folder: Path, *, force: bool, at: float) -> Path | None:
    """Put a backup into a folder, for the next start; return what was there before and is set aside.

    Args:
        file: A backup.
        folder: For the data; made where it is not there.
        force: Whether a database that is there is set aside.
        at: The present, Unix seconds.

    Raises:
        StorageError: The file is no sound backup, a service runs in the folder, or a database is there.
    """
    lock = lock_folder(folder)
    partial = folder / f".{FILE}.partial"
    kept = None
    try:
        is_there = any((folder / (FILE + suffix)).exists() for suffix in ("", "-wal"))
        if is_there and not force:
            raise StorageError(f"{folder / FILE}: is there already: name an empty folder, or set it aside by --force")
        source = open_file(file)
        try:
            _drop(partial)
            copy_database(source, partial)
        finally:
            source.close()
        _check(partial)
        if is_there:
            kept = set_aside(folder, f"replaced by {file}", at=at, infix=REPLACED_INFIX)
        partial.rename(folder / FILE)
        sync_folder(folder)
    except (OSError, DatabaseError) as fault:
        raise StorageError(f"{folder}: {fault}: is there space, and may this user write there?") from fault
    finally:
        _drop(partial)
        lock.release()
    return kept


def _resting() -> Callable[[], None]:
    """Return what rests after a slice, as long as it took."""
    at = clock.monotonic()

    def rest() -> None:
        nonlocal at
        time.sleep((clock.monotonic() - at) * REST)
        at = clock.monotonic()

    return rest


def _look_at(copy: Path, *, with_proof: bool) -> tuple[int, Proof | None]:
    _check(copy)
    connection = open_file(copy)
    try:
        offset = connection.execute("SELECT max(offset) FROM event_log").fetchone()[0]
        return int(offset or 0), prove(connection) if with_proof else None
    finally:
        connection.close()


def _check(copy: Path) -> None:
    connection = open_file(copy)
    try:
        said = [str(row[0]) for row in connection.execute("PRAGMA quick_check(5)")]
    finally:
        connection.close()
    if said != ["ok"]:
        raise StorageError(f"{copy}: damaged, as what it was copied from must be: {'; '.join(said)}")


def _drop(partial: Path) -> None:
    for suffix in ("", "-journal", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            partial.with_name(partial.name + suffix).unlink()
