"""Doubt: whether the database can still be trusted, by what SQLite said of it while the service ran.

≠ what is done about the file: the next start sets it aside.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import structlog

from .storage.connecting import Connection
from .storage.corruption import forbid_writes, is_corrupt
from .storage.errors import DamagedError, DatabaseError

_log = structlog.get_logger(__name__)


class Doubt:
    """Called with every fault of the core's thread; once one says that the database is corrupt, that stays so.

    Attributes:
        why: What SQLite said; "" while nothing is wrong.
        on_corrupt: Called once, with that.
    """

    def __init__(self, connection: Connection) -> None:
        """Take the connection on which nothing may be written once the database is corrupt."""
        self.why = ""
        self.on_corrupt: Callable[[str], None] = lambda _: None
        self._connection = connection

    def __call__(self, fault: BaseException) -> None:
        """Take note of a fault; any but corruption is of no interest here."""
        if self.why or not is_corrupt(fault):
            return
        self.why = str(fault)
        _log.critical("database.corrupt", error=f"{fault}: no event is taken; the next start sets it aside")
        with contextlib.suppress(DatabaseError):
            forbid_writes(self._connection)
        self.on_corrupt(self.why)

    def check(self) -> None:
        """Do nothing while nothing is wrong.

        Raises:
            DamagedError: The database was found corrupt.
        """
        if self.why:
            raise DamagedError(self.why)
