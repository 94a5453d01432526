"""Presence: a node says every few seconds that it is there, and reads who may read what it counts; and after a rolling
upgrade what only the old version needs is taken away, once that was not there for long.

A thread with a connection of its own: neither what a node does nor what it answers waits for it.

≠ who is elected, whether a node may still write.
"""

from __future__ import annotations

import contextlib
import threading
import uuid

import structlog

from .. import __version__
from ..clock import monotonic, now
from ..keys.book import Book
from ..keys.in_force import Keys
from ..keys.record import StoredKey
from ..roles import to_text
from ..settings import Settings
from ..storage import nodes, upgrading
from ..storage.connecting import Connection
from ..storage.database import open_beside
from ..storage.errors import DatabaseError, StorageError

LOOK_S = 60.0
"""How often it is looked whether anything is to be taken away."""

STOP_S = 5.0

_log = structlog.get_logger(__name__)


class Presence:
    """Started with a node, and stopped with it.

    Attributes:
        knows_keys: Whether the keys of the database were read once.
    """

    def __init__(self, settings: Settings, keys: Keys, *, beat_s: float = nodes.BEAT_S, look_s: float = LOOK_S) -> None:
        """Take the settings over, and where the keys of the database are put in force; that need not be there."""
        self.knows_keys = False
        self._keys = keys
        self._stored: list[StoredKey] = []
        self._place = settings.data
        self._address = settings.address
        self._roles = to_text(settings.roles)
        self._id = uuid.uuid4().hex
        self._beat_s = beat_s
        self._look_s = look_s
        self._looked_at = float("-inf")
        self._connection: Connection | None = None
        self._fault = ""
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="claxon-presence", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Say that the node was stopped, and end."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(timeout=STOP_S)

    def _run(self) -> None:
        node = nodes.Node(
            id=self._id,
            node=self._address,
            roles=self._roles,
            version=__version__,
            schema=upgrading.known(self._place),
        )
        while not self._ending.is_set():
            self._step(node)
            self._ending.wait(self._beat_s)
        with contextlib.suppress(DatabaseError, StorageError):
            if self._connection is not None:
                nodes.leave(self._connection, node)
        self._close()

    def _step(self, node: nodes.Node) -> None:
        try:
            if self._connection is None:
                self._connection = open_beside(self._place)
            nodes.beat(self._connection, node)
            self._read_keys(self._connection)
            self._look()
            self._fault = ""
        except (DatabaseError, StorageError) as fault:
            if str(fault) != self._fault:
                _log.warning("node.not_seen", error=str(fault))
            self._fault = str(fault)
            self._close()

    def _read_keys(self, connection: Connection) -> None:
        stored = Book(connection, clock=now).all()
        if stored != self._stored:
            self._stored = stored
            self._keys.adopt(stored)
        self.knows_keys = True

    def _look(self) -> None:
        if monotonic() - self._looked_at < self._look_s:
            return
        self._looked_at = monotonic()
        taken = upgrading.run_post_if_due(self._place)
        if taken:
            _log.info("database.migrated_post", database=str(self._place), steps=taken)

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(DatabaseError):
                connection.close()
