"""Doubt: whether the database can still be trusted, and whether it is still ours, by what was said of it meanwhile.

≠ what is done about a file: the next start sets it aside; who writes next: another node.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import structlog

from .storage.connecting import Connection
from .storage.corruption import forbid_writes, is_corrupt
from .storage.errors import DamagedError, DatabaseError, LostError

_log = structlog.get_logger(__name__)


class Doubt:
    """Called with every fault of the core's thread; once one says that the database is corrupt or lost, that stays so.

    Attributes:
        why: What was said of it; "" while nothing is wrong.
        lost: Whether it is sound, and another node's, or may be.
        on_corrupt: Called once a database is corrupt, with that.
        on_lost: Called once it is lost, with that.
    """

    def __init__(self, connection: Connection) -> None:
        """Take the connection on which nothing may be written once the database is corrupt."""
        self.why = ""
        self.lost = False
        self.on_corrupt: Callable[[str], None] = lambda _: None
        self.on_lost: Callable[[str], None] = lambda _: None
        self._connection = connection

    def __call__(self, fault: BaseException) -> None:
        """Take note of a fault; any other is of no interest here."""
        if self.why:
            return
        if isinstance(fault, LostError):
            self.lost, self.why = True, str(fault)
            _log.critical("database.lost", error=f"{fault}: no event is taken; another node goes on, or the next start")
            self.on_lost(self.why)
        elif is_corrupt(fault):
            self.why = str(fault)
            _log.critical("database.corrupt", error=f"{fault}: no event is taken; the next start sets it aside")
            with contextlib.suppress(DatabaseError):
                forbid_writes(self._connection)
            self.on_corrupt(self.why)

    @property
    def said(self) -> str:
        """What people are told; "" while nothing is wrong."""
        if not self.why:
            return ""
        next_ = (
            "another node goes on, or this one after its next start"
            if self.lost
            else "it is set aside at the next start"
        )
        return f"database: {self.why}: {next_}, in a moment"

    def check(self) -> None:
        """Do nothing while nothing is wrong.

        Raises:
            DamagedError: The database was found corrupt.
            LostError: It is another node's, or may be.
        """
        if self.lost:
            raise LostError(self.why)
        if self.why:
            raise DamagedError(self.why)
