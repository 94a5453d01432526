"""Office: where deliveries are decided and noted. The core is one; a node that only delivers has one of its own.

≠ what is sent, and when.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from concurrent.futures import Future
from typing import Protocol, TypeVar

from alerts.decisions import Decision

from ..storage.connecting import Connection
from ..storage.leases import Leases

T = TypeVar("T")


class Office(Protocol):
    """A thread that has a connection to the outbox, and what this node holds of it.

    Attributes:
        on_outbox: Called with the integrations for which there may be something to send; None: perhaps for any.
    """

    on_outbox: Callable[[Collection[str] | None], None]

    @property
    def connection(self) -> Connection:
        """The database; only what `submit` runs may use it.

        Raises:
            ConnectionLostError: There is none just now.
        """

    @property
    def leases(self) -> Leases:
        """Which rows are this node's to send."""

    def submit(self, function: Callable[[], T]) -> Future[T]:
        """Run a function in the thread."""

    def write_down(self, write: Callable[[], Iterable[Decision]], *, keys: Iterable[str] = ()) -> None:
        """Note what came of deliveries in one transaction, and have the ledger take what the function returns; in the
        thread.

        Args:
            write: Called inside the transaction.
            keys: Those of which is decided who else is told.

        Raises:
            DatabaseError: Nothing of it is written, or it is unknown whether it is.
        """
