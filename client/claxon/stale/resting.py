"""resting: a store that does not answer is left alone for a while, so that it costs few calls their time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from .. import guard

PAUSE_S = 5.0
"""How long a store that failed is left alone; then one call asks it, and the others when that was answered."""


class Rest:
    """Says whether a store is to be asked now.

    Args:
        name: Of the store, for the one warning.
        clock: Monotonic seconds.
    """

    def __init__(self, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._clock = clock
        self._until: float | None = None
        self._lock = threading.Lock()

    def may_ask(self) -> bool:
        """Return whether to ask. After a failure it says yes to one call in `PAUSE_S`, until that was answered."""
        if self._until is None:
            return True
        with self._lock:
            now, until = self._clock(), self._until
            if until is not None and now < until:
                return False
            self._until = None if until is None else now + PAUSE_S
            return True

    def failed(self, error: BaseException) -> None:
        """Begin a pause; warn the first time, without what the error says: it may hold an address."""
        with self._lock:
            self._until = self._clock() + PAUSE_S
        guard.warn_once(f"stale {self._name}", f"{self._name}: {type(error).__name__}: no older answers until it works")

    def answered(self) -> None:
        """Let all ask again."""
        if self._until is not None:
            with self._lock:
                self._until = None

    def after_fork(self) -> None:
        """Begin anew, in a forked child."""
        self._lock = threading.Lock()
