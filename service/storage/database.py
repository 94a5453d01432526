"""The database: opened to write or to read, and its transactions.

≠ which engine it is, what the tables mean.
"""

from __future__ import annotations

from .connecting import Connection
from .errors import CorruptError, DatabaseError, StorageError
from .sqlite import lock_folder, migrations, open_database, open_file, open_or_set_aside, open_reader

__all__ = [
    "READ_S",
    "CorruptError",
    "DatabaseError",
    "LazyTransaction",
    "ReadTransaction",
    "StorageError",
    "Transaction",
    "lock_folder",
    "migrations",
    "open_database",
    "open_file",
    "open_or_set_aside",
    "open_reader",
]

READ_S = 10.0
"""How long a read may last, where nobody says otherwise."""


class Transaction:
    """One write transaction; rolls back on any fault."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self.begin()

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self.commit()
        else:
            self.roll_back()

    def begin(self) -> None:
        """Begin it: nobody else writes until its end."""
        self._connection.begin()

    def commit(self) -> None:
        """Have all of it written, or nothing.

        Raises:
            ConnectionLostError: It is unknown which.
            DatabaseError: Nothing of it is written.
        """
        try:
            self._connection.commit()
        except DatabaseError:
            self.roll_back()
            raise

    def roll_back(self) -> None:
        """Undo it; on some faults, such as a full disk, the database has done so itself."""
        if self._connection.in_transaction:
            self._connection.rollback()


class LazyTransaction(Transaction):
    """One that waits for no disk: a power cut may undo it, and then all that nobody waited for after it.

    The next `Transaction` makes it durable. For what is deleted, and for what can be made again.
    """

    def begin(self) -> None:
        """Begin it: nobody else writes until its end."""
        self._connection.begin_lazily()

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            super().__exit__(kind)
        finally:
            self._connection.end_lazily()


class ReadTransaction:
    """Everything read inside is of one instant; ends after so long, for what was deleted stays in the file meanwhile.

    What is read after that raises a fault of which `is_interrupted` is true.
    """

    def __init__(self, connection: Connection, *, at_most_s: float = READ_S) -> None:
        self._connection = connection
        self._at_most_s = at_most_s

    def __enter__(self) -> None:
        self._connection.begin_reading(self._at_most_s)

    def __exit__(self, *_: object) -> None:
        self._connection.end_reading()
