"""Reaching: a database is opened by a thread of its own, while whoever needs it goes on with the rest.

A server that answers nothing holds up who connects to it for seconds, and who owns partitions must be heard of by then.

≠ when it is tried, what is done with it.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass

from ..storage import partitions
from ..storage.connecting import Connection
from ..storage.errors import DatabaseError
from ..storage.patience import Patience


@dataclass(frozen=True, slots=True)
class Reached:
    """A connection of an owner of partitions, and who hangs up where its server hangs; None where there is none."""

    connection: Connection
    patience: Patience | None

    def close(self) -> None:
        """Let the server have its session back."""
        if self.patience is not None:
            self.patience.close()
        with contextlib.suppress(DatabaseError):
            self.connection.close()


class Reaching:
    """One try; `take` is asked again and again."""

    def __init__(self, connect: Callable[[], Connection]) -> None:
        """Begin.

        Args:
            connect: Opens the database, or raises; called in the thread.
        """
        self._connect = connect
        self._lock = threading.Lock()
        self._reached: Reached | None = None
        self._fault: Exception | None = None
        self._given_up = False
        threading.Thread(target=self._run, name="claxon-reaching", daemon=True).start()

    def take(self) -> Reached | None:
        """Return what was reached, the caller's from now on; None while it is tried.

        Raises:
            StorageError: It cannot be reached, or refuses us.
            DatabaseError: It was lost at once.
        """
        with self._lock:
            if self._fault is not None:
                raise self._fault
            return self._reached

    def give_up(self) -> None:
        """Have it closed, now or as soon as it is open."""
        with self._lock:
            self._given_up = True
            reached = self._reached
        if reached is not None:
            reached.close()

    def _run(self) -> None:
        try:
            reached = _reach(self._connect)
        except Exception as fault:  # noqa: BLE001 — it is the caller's, in its thread
            with self._lock:
                self._fault = fault
            return
        with self._lock:
            given_up = self._given_up
            self._reached = reached
        if given_up:
            reached.close()


def _reach(connect: Callable[[], Connection]) -> Reached:
    connection = connect()
    try:
        return Reached(connection, partitions.hasten(connection))
    except BaseException:
        connection.close()
        raise
