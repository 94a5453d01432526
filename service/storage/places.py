"""Where a database is: a folder, for SQLite, or the URL of PostgreSQL's.

≠ how it is opened.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from .errors import StorageError

SCHEMES = ("postgresql://", "postgres://")


@dataclass(frozen=True, slots=True)
class PostgresUrl:
    """Where a database of PostgreSQL's is; as text it says neither user nor password, nor any option.

    Attributes:
        secret: All of it, for the driver alone.
    """

    secret: str = field(repr=False)

    def __str__(self) -> str:
        """Return what may be shown."""
        head, slash, tail = self.secret.partition("://")[2].partition("/")
        if "@" in tail:
            # A / of a password's own looks like the end of the host.
            return "postgresql://"
        return f"postgresql://{head.rpartition('@')[2].partition('?')[0]}{slash}{tail.partition('?')[0]}"


Place: TypeAlias = Path | PostgresUrl


@dataclass(frozen=True, slots=True, kw_only=True)
class Leader:
    """Who was elected last.

    Attributes:
        node: Its address.
        since: Unix seconds.
        generation: The how manieth election it was.
    """

    node: str
    since: float
    generation: int


def place_of(text: str) -> Place:
    """Return the place that --data names."""
    return PostgresUrl(text) if text.startswith(SCHEMES) else Path(text)


def folder_of(place: Place) -> Path:
    """Return the folder that a place is.

    Raises:
        StorageError: It is a server.
    """
    if isinstance(place, PostgresUrl):
        remedy = "use PostgreSQL's own: `pg_dump` and `pg_restore`, or base backups and point-in-time recovery"
        raise StorageError(f"{place}: no folder: {remedy}")
    return place


def check_size_limit(place: Place) -> None:
    """Return if the size of a database can be limited by what is deleted.

    Raises:
        ValueError: A server's files keep their size, and it is not known how much of them is free.
    """
    if isinstance(place, PostgresUrl):
        raise ValueError(f"{place}: PostgreSQL's files keep their size when rows are deleted: limit the age instead")


def is_shared(place: Place) -> bool:
    """Return whether several nodes may have it: one of them is elected, and the others stand by."""
    return not isinstance(place, Path)
