"""What a connection to a database can do, whichever engine it is.

SQLite's own connection is one as it is. Statements are of what SQLite and PostgreSQL have in common, with `?` for
values; where they have nothing in common, `dialect` says which one it is, and nobody outside this package looks at it.

≠ how one is opened, what the tables mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import Any, Protocol


class Dialect(StrEnum):
    """Which engine."""

    SQLITE = "sqlite"
    POSTGRES = "postgres"


class Cursor(Protocol):
    """What a statement found or did."""

    @property
    def rowcount(self) -> int:
        """How many rows were changed."""

    def fetchone(self) -> Any:
        """Return the next row, None after the last."""

    def fetchall(self) -> list[Any]:
        """Return the rows that are left."""

    def __iter__(self) -> Iterator[Any]:
        """Yield the rows that are left."""

    def close(self) -> object:
        """Read no further."""


class Connection(Protocol):
    """A connection; any thread may use it, one at a time. Its faults are `DatabaseError`."""

    @property
    def dialect(self) -> Dialect:
        """Which engine."""

    @property
    def generation(self) -> int | None:
        """The how manieth election of this database made it the one that writes; None where there was none."""

    @property
    def in_transaction(self) -> bool:
        """Whether one is open."""

    def execute(self, sql: str, parameters: Sequence[Any] = ..., /) -> Cursor:
        """Run a statement; outside a transaction it is one of its own."""

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> Cursor:
        """Run a statement once for each of some rows."""

    def check(self) -> None:
        """Look whether who writes still may.

        Raises:
            LostError: Another node may have been elected.
        """

    def begin(self) -> None:
        """Begin to write: nobody else does until the end.

        Raises:
            FencedError: Another node writes now.
        """

    def begin_lazily(self) -> None:
        """Begin to write, and have the commit wait for no disk; `end_lazily` must follow."""

    def end_lazily(self) -> None:
        """Have commits wait for the disk again; whether that of the lazy one came to be or not."""

    def begin_reading(self, at_most_s: float) -> None:
        """Begin to read what is of one instant; after so long reads are interrupted."""

    def end_reading(self) -> None:
        """End it."""

    def commit(self) -> None:
        """Have all of a transaction written, or nothing."""

    def rollback(self) -> None:
        """Undo a transaction."""

    def cut(self) -> None:
        """End what goes on, from another thread: whoever waits for it gets a fault."""

    def close(self) -> None:
        """Close it; what it held is let go."""
