"""Corruption: what SQLite says of a database that is none any more, and how the file is set aside, never overwritten.

≠ how a database is opened, who is told.
"""

from __future__ import annotations

import os
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from .connecting import Connection
from .errors import DamagedError
from .places import Place

FILE = "claxon.sqlite3"

MARK = "claxon.corrupt"
"""Holds why the database beside it must not be opened again; the next start sets it aside, and this with it."""

TOO_OFTEN = 5
"""So many databases set aside within a day are a broken disk, and no start helps."""

_DAY_S = 86_400.0
_STAMP = "%Y%m%dT%H%M%SZ"
CORRUPT_INFIX = ".corrupt-"
REPLACED_INFIX = ".replaced-"
_WHY = ".why"

# Primary codes: the image is malformed; the file is no database.
_CODES = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def is_corrupt(fault: BaseException) -> bool:
    """Return whether a fault says that the file is damaged; a full disk, a lock or a failed read is none."""
    if isinstance(fault, DamagedError):
        return True
    code = getattr(fault, "sqlite_errorcode", None)
    return isinstance(fault, sqlite3.DatabaseError) and isinstance(code, int) and code & 0xFF in _CODES


def forbid_writes(connection: Connection) -> None:
    """Have nothing more be written by a connection."""
    connection.execute("PRAGMA query_only = ON")


@dataclass(frozen=True, slots=True, kw_only=True)
class Aside:
    """A database that was set aside.

    Attributes:
        path: Where it lies now.
        at: When it was set aside, Unix seconds.
        why: What was wrong with it; "" where that is not known.
    """

    path: Path
    at: float
    why: str


def mark(folder: Path, why: str) -> None:
    """Have the next start set the database aside; durable when it returns.

    Raises:
        OSError: It cannot be written.
    """
    with (folder / MARK).open("w", encoding="utf-8") as file:
        file.write(why)
        file.flush()
        os.fsync(file.fileno())
    sync_folder(folder)


def marked(folder: Path) -> str:
    """Return why the database must not be opened again; "" if it may be."""
    try:
        return (folder / MARK).read_text("utf-8", "replace") or "it was found corrupt"
    except OSError:
        return ""


def set_aside(folder: Path, why: str, *, at: float, infix: str = CORRUPT_INFIX) -> Path:
    """Rename the database and what belongs to it; return its new name. The folder must be locked.

    Args:
        folder: Of the database.
        why: Kept beside it.
        at: The present, Unix seconds; the new name holds it.
        infix: Says in the new name what became of it.

    Raises:
        OSError: It cannot be renamed.
    """
    target = _free_name(folder, infix, at)
    target.with_name(target.name + _WHY).write_text(why, "utf-8")
    # A write-ahead log that stayed would be played into the new database, so that one goes first; the mark goes last:
    # a crash in between is taken up again by the next start.
    for suffix in ("-wal", "-shm", ""):
        source = folder / (FILE + suffix)
        if source.exists():
            source.rename(target.with_name(target.name + suffix))
    sync_folder(folder)
    (folder / MARK).unlink(missing_ok=True)
    sync_folder(folder)
    return target


def aside(place: Place) -> list[Aside]:
    """Return the databases that were set aside and still lie in the folder, the newest first; a server has none."""
    return _aside(place) if isinstance(place, Path) else []


def _aside(folder: Path) -> list[Aside]:
    found = []
    for path in folder.glob(f"{FILE}{CORRUPT_INFIX}*"):
        stamp = path.name.removeprefix(FILE + CORRUPT_INFIX)[:16]
        if path.name.endswith((_WHY, "-wal", "-shm")):
            continue
        try:
            at = datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC).timestamp()
        except ValueError:
            continue
        found.append(Aside(path=path, at=at, why=_why(path)))
    return sorted(found, key=lambda one: one.at, reverse=True)


def too_often(folder: Path, *, at: float) -> bool:
    """Return whether so many were set aside lately that another one would not help."""
    return sum(at - one.at < _DAY_S for one in aside(folder)) >= TOO_OFTEN


def sync_folder(folder: Path) -> None:
    """Wait until what a folder lists is on disk.

    Raises:
        OSError: It cannot be.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _free_name(folder: Path, infix: str, at: float) -> Path:
    stamp = datetime.fromtimestamp(at, UTC).strftime(_STAMP)
    names = [f"{FILE}{infix}{stamp}", *(f"{FILE}{infix}{stamp}-{n}" for n in range(2, 1000))]
    for name in names:
        if not any((folder / (name + suffix)).exists() for suffix in ("", "-wal", "-shm", _WHY)):
            return folder / name
    raise FileExistsError(f"{folder / names[0]}: and a thousand more")


def _why(path: Path) -> str:
    try:
        return path.with_name(path.name + _WHY).read_text("utf-8", "replace")
    except OSError:
        return ""
