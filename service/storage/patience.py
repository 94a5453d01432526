"""Patience: how long an answer of a server is waited for, where TCP alone would wait for ever.

A server that hangs, or a proxy before one that is gone, acknowledges every byte and answers none.

≠ what is done without it.
"""

from __future__ import annotations

import threading
from typing import Protocol, runtime_checkable

import structlog

from ..clock import monotonic

_LOOK_S = 0.25
_log = structlog.get_logger(__name__)


@runtime_checkable
class Asked(Protocol):
    """Who waits for answers.

    Attributes:
        asked_at: Since when one is owed, by the clock that never jumps; inf while none is.
    """

    asked_at: float

    def hang_up(self) -> None:
        """Have whoever waits told that the connection is lost."""


class Patience:
    """A thread that hangs up on a server once it owes an answer for too long."""

    def __init__(self, connection: Asked, most_s: float) -> None:
        """Begin to look."""
        self._connection = connection
        self._most_s = most_s
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="claxon-patience", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Look no more."""
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closing.wait(_LOOK_S):
            if monotonic() - self._connection.asked_at > self._most_s:
                _log.warning("database.no_answer", after_s=self._most_s)
                self._connection.hang_up()
                return
