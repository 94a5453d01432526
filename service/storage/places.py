"""Where a database is: a folder, for SQLite, or the URL of PostgreSQL's.

≠ how it is opened.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

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
        parts = urlsplit(self.secret)
        return f"postgresql://{parts.netloc.rpartition('@')[2]}{parts.path}"


Place: TypeAlias = Path | PostgresUrl


def place_of(text: str) -> Place:
    """Return the place that --data names."""
    return PostgresUrl(text) if text.startswith(SCHEMES) else Path(text)
