"""The database: opened to write or to read, and its transactions.

≠ which engine it is, what the tables mean.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from . import corruption, sqlite
from .connecting import Connection
from .corruption import FILE
from .errors import CorruptError, DatabaseError, StorageError
from .places import Leader, Place, PostgresUrl
from .sqlite import lock_folder, migrations, open_file

__all__ = [
    "READ_S",
    "CorruptError",
    "DatabaseError",
    "LazyTransaction",
    "ReadTransaction",
    "StorageError",
    "Transaction",
    "exists",
    "leader",
    "lock_folder",
    "mark",
    "migrations",
    "open_beside",
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


def open_database(place: Place, *, create: bool = True, node: str = "") -> Connection:
    """Open to write, bring to the present schema, create where it is not there; others are kept out until it is closed.

    Args:
        place: Where it is.
        create: False: a place without a database is an error, and so is one of an older schema.
        node: Where others are told to go meanwhile.

    Raises:
        InUseError: Another Claxon has it.
        CorruptError: The file is no database, or a damaged one, as far as a quick look tells.
        StorageError: It cannot be written, or it is of a newer Claxon.
    """
    if isinstance(place, PostgresUrl):
        connection: Connection = _postgres(place).open_database(place, create=create, node=node)
        return connection
    return sqlite.open_database(place, create=create)


def open_or_set_aside(place: Place, *, at: float, node: str = "") -> tuple[Connection, Path | None]:
    """Open to write; where a file is corrupt, set it aside first, and begin a new one.

    Args:
        place: Where it is.
        at: The present, Unix seconds: the name of what is set aside holds it.
        node: Where others are told to go meanwhile.

    Returns:
        The connection, and what was set aside, if anything was.

    Raises:
        StorageError: As `open_database`; or it was set aside so often lately that the disk must be broken.
    """
    if isinstance(place, PostgresUrl):
        return open_database(place, node=node), None
    return sqlite.open_or_set_aside(place, at=at)


def open_reader(place: Place) -> Connection:
    """Open to read, while a service writes or not; any thread may use it, one at a time.

    Nothing is waited for and nobody waits. What is deleted cannot be given back while a read goes on, so
    end each soon: fetch all, in pieces, or inside a `ReadTransaction`.

    Raises:
        StorageError: There is no database, it is of another schema, or it cannot be read.
    """
    if isinstance(place, PostgresUrl):
        reader: Connection = _postgres(place).open_reader(place)
        return reader
    return sqlite.open_reader(place)


def leader(place: Place) -> Leader | None:
    """Return which node was elected last; None where nobody ever was, or where there is no election.

    Raises:
        UnreachableError: The server cannot be asked.
        StorageError: It refuses us.
    """
    if isinstance(place, PostgresUrl):
        found: Leader | None = _postgres(place).leader(place)
        return found
    return None


def open_beside(place: Place) -> Connection:
    """Open to write what any node may write, beside the one that is elected.

    Raises:
        StorageError: It is one node's alone; or it cannot be reached, takes no writes, or is of another schema.
    """
    if isinstance(place, PostgresUrl):
        connection: Connection = _postgres(place).open_beside(place)
        return connection
    raise StorageError(f"{place}: a folder is one node's alone: name a PostgreSQL by --data")


def exists(place: Place) -> bool:
    """Return whether there may be a database; of a server nobody knows before it is asked."""
    return isinstance(place, PostgresUrl) or (place / FILE).exists()


def mark(place: Place, why: str) -> None:
    """Have the next start set a damaged file aside; a server's database is its administrator's to mend.

    Raises:
        OSError: It cannot be written.
    """
    if isinstance(place, Path):
        corruption.mark(place, why)


def _postgres(place: PostgresUrl) -> ModuleType:
    try:
        from . import postgres
    except ImportError as fault:
        raise StorageError(f"{place}: psycopg is not installed: pip install 'claxon-server[postgres]'") from fault
    return postgres
