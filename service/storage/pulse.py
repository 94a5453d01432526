"""Pulse: a write that says only that writing works.

≠ who looks at it.
"""

from __future__ import annotations

from .connecting import Connection
from .database import Transaction


def write(connection: Connection, at: float) -> None:
    """Commit a row, as a batch of events is committed.

    Raises:
        DatabaseError: Nothing can be written.
    """
    with Transaction(connection):
        connection.execute(
            "INSERT INTO pulse (one, at) VALUES (1, ?) ON CONFLICT (one) DO UPDATE SET at = excluded.at", (at,)
        )
