"""PostgreSQL's connection as `Connection`: our statements into its own, its faults into ours.

≠ how one is opened, who is elected.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any, LiteralString

import psycopg
from psycopg import errors
from psycopg.abc import Buffer
from psycopg.pq import TransactionStatus
from psycopg.types.string import StrDumperUnknown, TextBinaryLoader, TextLoader

from ..clock import monotonic
from .connecting import Cursor, Dialect
from .errors import (
    ConnectionLostError,
    DatabaseError,
    EngineError,
    FencedError,
    FullError,
    InterruptedReadError,
    UnfitError,
    WaitedError,
)

_NEVER = float("inf")

# No text of PostgreSQL's holds a NUL. It is written as this, which is no character, and a 0.
_MARK = "\ufffe"

# "offset" is a word of PostgreSQL's own; which index serves best is said to SQLite alone.
_OURS = re.compile(r"(?<!\")\boffset\b(?!\")| INDEXED BY \w+|[?%]")
_THEIRS = {"offset": '"offset"', "?": "%s", "%": "%%"}


@cache
def translated(sql: str) -> LiteralString:
    """Return a statement of ours as psycopg takes it; no literal in it may hold what is replaced."""
    return _OURS.sub(lambda found: _THEIRS.get(found[0], ""), sql)


class _WriteText(StrDumperUnknown):
    def dump(self, obj: str) -> Buffer | None:
        if "\0" in obj or _MARK in obj:
            obj = obj.replace(_MARK, f"{_MARK}1").replace("\0", f"{_MARK}0")
        return obj.encode()


def _read(text: str) -> str:
    return text.replace(f"{_MARK}0", "\0").replace(f"{_MARK}1", _MARK) if _MARK in text else text


class _ReadText(TextLoader):
    def load(self, data: Buffer) -> str:
        return _read(bytes(data).decode())


class _ReadTextBinary(TextBinaryLoader):
    def load(self, data: Buffer) -> str:
        return _read(bytes(data).decode())


class PostgresConnection:
    """A connection of psycopg's; whoever writes has a generation, and what lets others be elected once it is closed."""

    dialect = Dialect.POSTGRES

    def __init__(self, raw: psycopg.Connection[Any]) -> None:
        """Take a connection in autocommit over."""
        self._raw = raw
        self._ends_at = float("inf")
        self.generation: int | None = None
        # Says why the node may not go on; "" while it may.
        self.lost: Callable[[], str] = lambda: ""
        self._fenced = ""
        self.on_close: Callable[[], None] = lambda: None
        # Since when the server owes an answer, by the clock that never jumps; inf while it owes none.
        self.asked_at = _NEVER
        raw.adapters.register_dumper(str, _WriteText)
        raw.adapters.register_loader("text", _ReadText)
        raw.adapters.register_loader("text", _ReadTextBinary)

    @property
    def in_transaction(self) -> bool:
        """Whether one is open."""
        return self._raw.info.transaction_status in (TransactionStatus.INTRANS, TransactionStatus.INERROR)

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Cursor:
        """Run a statement; outside a transaction it is one of its own."""
        self._check()
        self.asked_at = monotonic()
        try:
            return self._raw.execute(translated(sql), parameters, binary=True)
        except psycopg.Error as fault:
            raise self.fault_of(fault) from fault
        finally:
            self.asked_at = _NEVER

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> Cursor:
        """Run a statement once for each of some rows."""
        self._check()
        cursor = self._raw.cursor()
        rows = list(parameters)
        self.asked_at = monotonic()
        try:
            if rows:
                cursor.executemany(translated(sql), rows)
                # It goes by libpq's pipeline, after which the server does not reckon how long a transaction is idle: a
                # node that stood still here kept its locks for ever. After another word it does.
                self._raw.execute("")
        except psycopg.Error as fault:
            raise self.fault_of(fault) from fault
        finally:
            self.asked_at = _NEVER
        return cursor

    def check(self) -> None:
        """Look whether the session that was elected is there.

        Raises:
            FencedError: Another node was elected before.
            ConnectionLostError: It is not.
        """
        if self._fenced:
            raise FencedError(self._fenced)
        if why := self.lost():
            raise ConnectionLostError(why)

    def begin(self) -> None:
        """Begin to write, if no other node was elected."""
        self._begin("")

    def begin_lazily(self) -> None:
        """Begin to write, and have the commit wait for no disk."""
        self._begin("; SET LOCAL synchronous_commit = off")

    def _begin(self, more: str) -> None:
        self.check()
        if self.generation is None:
            self._script(f"BEGIN{more}")
            return
        # Shared: an election waits for the end of this transaction, and this one for that of an election.
        cursor = self._script(f"BEGIN{more}; SELECT generation FROM leader FOR SHARE")  # noqa: S608 — constants
        while cursor.nextset():
            pass
        row = cursor.fetchone()
        if row is None or row[0] != self.generation:
            self.rollback()
            # For good, and whatever only reads, too: nothing is sent, either.
            self._fenced = f"another node was elected: generation {row and row[0]}, not {self.generation}"
            raise FencedError(self._fenced)

    def end_lazily(self) -> None:
        """Do nothing: it was of that transaction alone."""

    def begin_reading(self, at_most_s: float) -> None:
        """Begin to read what is of one instant; after so long reads are interrupted."""
        longest_ms = max(1, int(at_most_s * 1000))
        self._script(f"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = {longest_ms}")
        self._ends_at = monotonic() + at_most_s

    def end_reading(self) -> None:
        """End it."""
        self._ends_at = float("inf")
        if self.in_transaction:
            self.rollback()

    def commit(self) -> None:
        """Have all of a transaction written, or nothing."""
        self._check()
        if self._raw.info.transaction_status is TransactionStatus.INERROR:
            # It would be rolled back, and called a success.
            raise EngineError("a statement of the transaction failed")
        self._script("COMMIT")

    def rollback(self) -> None:
        """Undo a transaction."""
        self._script("ROLLBACK")

    def cut(self) -> None:
        """Lose it, from another thread: a server that says nothing is waited for no longer."""
        with contextlib.suppress(psycopg.Error, OSError), socket.socket(fileno=os.dup(self._raw.fileno())) as copy:
            copy.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close it, and let others be elected."""
        self._raw.close()
        self.on_close()

    def hang_up(self) -> None:
        """Have whoever waits for an answer told that the connection is lost; for another thread."""
        with contextlib.suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(self._raw.fileno())) as wire:
            wire.shutdown(socket.SHUT_RDWR)

    def _check(self) -> None:
        self.check()
        if monotonic() > self._ends_at:
            raise InterruptedReadError("it took too long")

    def _script(self, sql: str) -> psycopg.Cursor[Any]:
        """Run statements without values, in one go."""
        self.asked_at = monotonic()
        try:
            return self._raw.execute(sql)
        except psycopg.Error as fault:
            raise self.fault_of(fault) from fault
        finally:
            self.asked_at = _NEVER

    def fault_of(self, fault: psycopg.Error) -> DatabaseError:
        """Return a fault of psycopg's as one of ours."""
        said = str(fault).strip()
        if self._raw.closed or self._raw.broken or isinstance(fault, _GONE):
            return ConnectionLostError(said)
        if isinstance(fault, errors.DiskFull):
            return FullError(said)
        if isinstance(fault, errors.DataError):
            return UnfitError(said)
        if isinstance(fault, errors.LockNotAvailable):
            return WaitedError(said)
        return InterruptedReadError(said) if isinstance(fault, errors.QueryCanceled) else EngineError(said)


# The last: what was the primary takes no writes any more.
_GONE = (
    errors.AdminShutdown,
    errors.CrashShutdown,
    errors.CannotConnectNow,
    errors.IdleInTransactionSessionTimeout,
    errors.ReadOnlySqlTransaction,
)
