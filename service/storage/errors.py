"""What can go wrong with a database, of whichever engine, told apart by type or by what is asked here.

≠ what is done about it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import TypeAlias

DatabaseError: TypeAlias = sqlite3.Error
"""Any fault of a database. SQLite's connections raise their own as they are, for to wrap them would cost each
statement; so what other engines' connections raise is made one of these."""


class StorageError(Exception):
    """The database cannot be used; the text is *where: value: remedy*."""


class InUseError(StorageError):
    """Another Claxon has it."""


class UnreachableError(StorageError):
    """The server cannot be reached, or takes no writes: it may in a while."""


class OlderNodesError(StorageError):
    """What older nodes need cannot be taken away, for some are connected.

    Attributes:
        schemas: Which they know.
    """

    def __init__(self, text: str, *, schemas: Sequence[int]) -> None:
        """Keep both."""
        super().__init__(text)
        self.schemas = tuple(schemas)


class CorruptError(StorageError):
    """The file is damaged, or was found so before; it is as it was."""


class EngineError(sqlite3.DatabaseError):
    """A statement failed, in an engine that is not SQLite; the text is what it said."""


class FullError(EngineError):
    """There is no space for what was to be written."""


class UnfitError(EngineError):
    """A value is none that the database can hold: to try again does not help."""


class WaitedError(EngineError):
    """Another transaction took too long to end; nothing was written."""


class InterruptedReadError(EngineError):
    """What was read took too long, and was ended."""


class DamagedError(sqlite3.DatabaseError):
    """The database was found corrupt before: nothing more is written to it."""


class LostError(EngineError):
    """Who writes does so no more: nobody knows what became of the transaction that was open, if one was."""


class ConnectionLostError(LostError):
    """The server is gone, or the way to it is; of what was being committed it is unknown whether it is."""


class FencedError(LostError):
    """Another node was elected since: nothing was written."""


def is_full(fault: BaseException) -> bool:
    """Return whether a fault says that there is no space."""
    if isinstance(fault, FullError):
        return True
    code = getattr(fault, "sqlite_errorcode", None)
    return isinstance(code, int) and code & 0xFF == sqlite3.SQLITE_FULL


def is_interrupted(fault: BaseException) -> bool:
    """Return whether a fault says that a read was ended because it took too long."""
    if isinstance(fault, InterruptedReadError):
        return True
    return getattr(fault, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT


def is_locked(fault: BaseException) -> bool:
    """Return whether a fault says that another process has SQLite's file for itself."""
    code = getattr(fault, "sqlite_errorcode", None)
    return isinstance(code, int) and code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
