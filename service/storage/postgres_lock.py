"""The election's lock: who holds it writes. It goes with its session, whatever ends that.

≠ how a database is opened; a lock alone keeps nobody from writing, the generation does.
"""

from __future__ import annotations

import contextlib
import threading
from typing import Any

import psycopg

from ..clock import monotonic

KEY = 0x436C6178_6F6E0001
"""Claxon's, in each database."""

EVERY_S = 0.5
"""How often the session is used, to see that it is there."""

SILENT_S = 5
"""A session that is not used for so long is ended by the server: its node stands still, and another is elected."""

PATIENCE_S = 4.0
"""A node that has not heard of its session for so long does nothing more; before the server ends it."""


class ElectionLock:
    """Taken, or not, at its making; a thread of its own keeps its session alive until it is closed."""

    def __init__(self, raw: psycopg.Connection[Any]) -> None:
        """Try once.

        Args:
            raw: A session of its own.
        """
        self._raw = raw
        self._fault = ""
        self._closing = threading.Event()
        self._heard_at = monotonic()
        raw.execute("SELECT set_config('idle_session_timeout', %s, false)", (f"{SILENT_S}s",))
        row = raw.execute("SELECT pg_try_advisory_lock(%s)", (KEY,)).fetchone()
        self.taken = row is not None and bool(row[0])
        self._thread = threading.Thread(target=self._run, name="claxon-election", daemon=True)
        if self.taken:
            self._thread.start()

    def why(self) -> str:
        """Return why the lock may be another's by now; "" while it is ours."""
        if self._fault:
            return self._fault
        silent_s = monotonic() - self._heard_at
        return f"the election's session was silent for {silent_s:.0f} s" if silent_s > PATIENCE_S else ""

    def close(self) -> None:
        """Let others have it: once this returns another can be elected, if the server answered."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(timeout=PATIENCE_S)
        if self.taken and not self._fault and not self._thread.is_alive():
            # The server notices a closed session in its own time; whoever asks before would be refused.
            with contextlib.suppress(psycopg.Error):
                self._raw.execute("SELECT pg_advisory_unlock(%s)", (KEY,))
        self._raw.close()

    def _run(self) -> None:
        while not self._closing.wait(EVERY_S):
            try:
                asked_at = monotonic()
                self._raw.execute("SELECT 1")
                self._heard_at = asked_at
            except psycopg.Error as fault:
                self._fault = f"the election's session has ended: {' '.join(str(fault).split())}"
                return
