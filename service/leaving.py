"""Leaving: how a process ends at once, whose database cannot be written any more.

≠ how it is found out, what the next start does.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

import structlog

from .core import Core
from .storage.database import mark
from .storage.errors import DatabaseError
from .storage.places import Place

GRACE_S = 2.0
"""From a database that was found corrupt to the end: who waits is answered, and told to send again."""

CORRUPT = 70
"""The exit status then."""

FAREWELL_S = 0.3
"""From a database that is another node's, or may be, to the end: who waits is answered, and nothing is begun."""

LOST = 75
"""The exit status then: a fault that passes."""

LOOK_S = 1.0
"""How often it is seen whether the database is still this node's."""

_log = structlog.get_logger(__name__)


class Leaving:
    """Takes note of what the core finds of its database.

    Attributes:
        leave: What ends this process at once, with a status.
    """

    def __init__(self, core: Core, place: Place) -> None:
        """Take the core, and where its database is."""
        self.leave: Callable[[int], object] = os._exit
        self._core = core
        self._place = place
        core.doubt.on_corrupt = self._give_up
        core.doubt.on_lost = self._step_down

    def look(self) -> None:
        """See whether the database is still this node's; the core's thread may be waiting for a silent server."""
        try:
            self._core.connection.check()
        except DatabaseError as fault:
            self._core.doubt(fault)

    def _give_up(self, why: str) -> None:
        """Have the next start set the database aside, answer what waits, and end; runs in the thread that found it."""
        try:
            mark(self._place, why)
        except OSError as fault:
            _log.critical("database.not_marked", error=f"{fault}: the next start may not see what is wrong")
        threading.Timer(GRACE_S, self.leave, (CORRUPT,)).start()

    def _step_down(self, _: str) -> None:
        """Answer what waits, and end: what another node writes by now is not known here."""
        threading.Timer(FAREWELL_S, self.leave, (LOST,)).start()
