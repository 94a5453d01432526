"""Pause: between tries to reach a database that is away.

≠ what is tried.
"""

from __future__ import annotations

import threading

FIRST_S = 0.1
MOST_S = 2.0


class Pause:
    """Twice as long each time, up to a limit."""

    def __init__(self, closing: threading.Event) -> None:
        """Take what ends a pause at once."""
        self._closing = closing
        self._next_s = FIRST_S

    def wait(self) -> None:
        """Wait."""
        self._closing.wait(self._next_s)
        self._next_s = min(MOST_S, 2 * self._next_s)

    def over(self) -> None:
        """Begin anew: it was reached."""
        self._next_s = FIRST_S
