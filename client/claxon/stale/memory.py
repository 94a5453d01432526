"""memory: answers in this process."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from .store import WEEK_S, Kept, check, renew_after_fork


class MemoryStore:
    """Keeps answers in memory; over a bound, the one that was used longest ago goes.

    Args:
        most_answers: How many it keeps.
        most_mb: How much their bodies may take together, in megabytes.
        max_age_s: How long it gives one, in seconds.
        clock: Unix seconds.

    Raises:
        ValueError: A bound that makes no sense.
    """

    blocking = False

    def __init__(
        self,
        *,
        most_answers: int = 1000,
        most_mb: float = 32.0,
        max_age_s: float = WEEK_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        check("MemoryStore", "most_answers", most_answers, 1)
        check("MemoryStore", "most_mb", most_mb, 0.001)
        check("MemoryStore", "max_age_s", max_age_s, 1)
        self._most = most_answers
        self._most_bytes = int(most_mb * 1e6)
        self._max_age_s = max_age_s
        self._clock = clock
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()
        renew_after_fork(self)

    def __str__(self) -> str:
        return "memory"

    def get(self, key: str) -> Kept | None:
        """Return the answer of a key; None if there is none, or it is too old."""
        with self._lock:
            kept = self._kept.get(key)
            if kept is None:
                return None
            if self._clock() - kept.at > self._max_age_s:
                self._drop(key)
                return None
            self._kept.move_to_end(key)
            return kept

    def put(self, key: str, kept: Kept) -> None:
        """Keep an answer; one that is larger than all room is not kept."""
        if len(kept.body) > self._most_bytes:
            return
        with self._lock:
            self._drop(key)
            self._kept[key] = kept
            self._bytes += len(kept.body)
            while len(self._kept) > self._most or self._bytes > self._most_bytes:
                self._drop(next(iter(self._kept)))

    def delete_expired(self) -> int:
        """Delete what is too old to be given; return how many answers that were."""
        with self._lock:
            before = self._clock() - self._max_age_s
            old = [key for key, kept in self._kept.items() if kept.at < before]
            for key in old:
                self._drop(key)
        return len(old)

    def _drop(self, key: str) -> None:
        gone = self._kept.pop(key, None)
        if gone is not None:
            self._bytes -= len(gone.body)

    def after_fork(self) -> None:
        """Take a new lock: another thread of the parent may hold the old one."""
        self._lock = threading.Lock()
