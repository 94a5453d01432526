"""Background: a thread of its own for work that nobody waits for.

≠ what is done.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod

PATIENCE_S = 10.0
"""How long the end is waited for."""


class Background(ABC):
    """Call `start`, then `stop`; `_run` looks at `_ending` between two pieces of work."""

    def __init__(self, name: str) -> None:
        """Name the thread; it does not run yet."""
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the piece that is at work; what is not done stays for the next start."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(timeout=PATIENCE_S)

    @abstractmethod
    def _run(self) -> None:
        """Work until `_ending` is set."""
