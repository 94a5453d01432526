"""Scrubbing: once a day the whole database is read, by a thread of its own that takes a tenth of the time at most.

≠ what is looked at.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

import structlog

from ..background import Background
from ..storage.database import StorageError, open_reader
from ..storage.errors import DatabaseError
from ..storage.places import Place
from ..storage.scrub import Scrubbed, scrub
from .tally import WatchTally

FIRST_S = 60.0
"""After the start; a restart has enough to do at first."""

EVERY_S = 86_400.0

REST = 9.0
"""After a piece that took a second it rests for so many."""

_NICE = 19

_log = structlog.get_logger(__name__)


class Scrubber(Background):
    """Looks in the background; `found` is what the last whole look found."""

    def __init__(
        self,
        place: Place,
        tally: WatchTally,
        *,
        clock: Callable[[], float],
        steady: Callable[[], float],
        first_s: float = FIRST_S,
    ) -> None:
        """Take what is looked at.

        Args:
            place: Of the database.
            tally: Counts.
            clock: Unix seconds.
            steady: Seconds that never jump.
            first_s: How long after the start the first look begins.
        """
        super().__init__("claxon-scrub")
        self.found: Scrubbed | None = None
        self._place = place
        self._tally = tally
        self._clock = clock
        self._steady = steady
        self._first_s = first_s

    def _run(self) -> None:
        # Of this thread alone: the others must never wait for it.
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
        wait_s = self._first_s
        while not self._ending.wait(wait_s):
            wait_s = EVERY_S
            try:
                self._look()
            except (StorageError, DatabaseError) as fault:
                _log.error("scrub.failed", error=str(fault))

    def _look(self) -> None:
        began_at, found = self._steady(), Scrubbed()
        reader = open_reader(self._place)
        try:
            pieces = scrub(reader, found)
            at = self._steady()
            for _ in pieces:
                took = self._steady() - at
                if self._ending.wait(took * REST):
                    return
                at = self._steady()
        finally:
            reader.close()
        self.found = found
        self._tally.scrubbed_at = self._clock()
        self._tally.damaged = len(found.damaged) + len(found.unreadable)
        say = _log.info if found.clean else _log.error
        say(
            "scrub.done",
            rows=found.rows,
            seconds=round(self._steady() - began_at, 1),
            unreadable=found.unreadable,
            damaged=found.damaged,
            unfinished=found.unfinished,
        )
