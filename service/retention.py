"""Retention: a thread that has the core delete what is too old or too much, a few milliseconds at a time.

Between two slices the core takes the batches that came meanwhile. How much a slice
deletes follows from how long the last one took.

≠ what may be deleted.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import structlog

from alerts.config import RetentionConfig

from .background import Background
from .storage import retention
from .storage.connecting import Connection
from .storage.database import LazyTransaction
from .storage.log_rows import Dropped

ROUND_S = 10.0
"""From one look to the next."""

SLICE_S = 0.003
"""How long the core may be held."""

_PAUSE = 4  # times as long as the slice took
_ENOUGH = 0.98  # of the size to which a log that grew over it is cut
_ANSWER_S = 60.0
_MOST = 5000  # rows of a slice

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Gone:
    """What was deleted in one round.

    Attributes:
        rows: Of the log.
        events: In them.
        newest_at: When the last of them was taken.
    """

    rows: int = 0
    events: int = 0
    newest_at: float | None = None

    def add(self, dropped: Dropped) -> None:
        """Count a slice."""
        self.rows += dropped.rows
        self.events += dropped.events
        self.newest_at = dropped.newest_at or self.newest_at


class Core(Protocol):
    """Who writes."""

    connection: Connection

    def submit(self, function: Callable[[], Any]) -> Future[Any]:
        """Run a function in the thread that writes."""


class Retention(Background):
    """Call `start`, then `stop`; or `round`, to do all that is due now."""

    def __init__(
        self,
        core: Core,
        *,
        keep: Callable[[], RetentionConfig],
        clock: Callable[[], float],
        steady: Callable[[], float],
    ) -> None:
        """Take note of who deletes.

        Args:
            core: In whose thread.
            keep: How much, asked at every round.
            clock: Unix seconds.
            steady: Seconds that never jump.
        """
        super().__init__("claxon-retention")
        self._core = core
        self._keep = keep
        self._clock = clock
        self._steady = steady
        self._stuck = False
        self._rows: dict[str, int] = {}

    def _run(self) -> None:
        while not self._ending.is_set():
            try:
                self.round()
            except Exception:  # noqa: BLE001 — the thread must go on: a full disk gets space again
                _log.exception("retention.failed")
            self._ending.wait(ROUND_S)

    def round(self) -> Gone:
        """Delete all that is due, slice by slice, and return what of the log went."""
        connection, now, keep, gone = self._core.connection, self._clock(), self._keep(), Gone()
        self._slices("names", lambda rows: self._forget(now, rows))
        used: int = self._in_core(lambda: retention.size(connection).used)
        near = keep.size is not None and used > keep.size // 2
        self._in_core(lambda: retention.anchor(connection, age_s=keep.age_s, by_rows=near))
        self._slices("log", lambda rows: self._aged(now - keep.age_s, rows, gone))
        if keep.size is not None:
            self._cut(keep.size, gone)
        self._slices("index", lambda rows: retention.drop_index(connection, rows=rows))
        self._slices("pages", lambda pages: retention.give_back(connection, pages=pages))
        if gone.rows:
            _log.info("log.pruned", rows=gone.rows, events=gone.events, up_to=gone.newest_at)
        return gone

    def _forget(self, now: float, rows: int) -> bool:
        return retention.forget_names(self._core.connection, before=now - retention.REMEMBER_S, rows=rows)

    def _aged(self, before: float, rows: int, gone: Gone) -> bool:
        dropped = retention.drop_aged(self._core.connection, before=before, rows=rows)
        gone.add(dropped)
        return dropped.rows == rows

    def _cut(self, size: int, gone: Gone) -> None:
        connection = self._core.connection
        used: int = self._in_core(lambda: retention.size(connection).used)
        if used <= size:
            self._stuck = False
            return
        enough = int(size * _ENOUGH)

        def cut(rows: int) -> bool:
            if retention.size(connection).used <= enough:
                return False
            dropped = retention.drop_oldest(connection, rows=rows)
            gone.add(dropped)
            # What the index has of it counts, too.
            more = retention.drop_index(connection, rows=rows)
            return dropped.rows > 0 or more

        self._slices("log", cut)
        used = self._in_core(lambda: retention.size(connection).used)
        if used > size and not self._stuck and not self._ending.is_set():
            self._stuck = True
            remedy = "all that may go is gone: allow more, or a shorter age"
            _log.warning("log.too_large", bytes=used, size=size, remedy=remedy)

    # ── slices ────────────────────────────────────────────────────────────────

    def _slices(self, name: str, work: Callable[[int], bool]) -> None:
        """Have a slice done again and again until there is no more, with pauses."""
        more = True
        while more and not self._ending.is_set():
            rows = self._rows.get(name, 16)
            more, took = self._core.submit(partial(self._slice, work, rows)).result(_ANSWER_S)
            self._rows[name] = max(1, min(_MOST, 2 * rows, int(rows * SLICE_S / max(took, 1e-6))))
            if more:
                self._ending.wait(took * _PAUSE)

    def _slice(self, work: Callable[[int], bool], rows: int) -> tuple[bool, float]:
        """Do one slice, in the core's thread; return whether there is more, and how long it took."""
        connection, begin = self._core.connection, self._steady()
        with LazyTransaction(connection):
            more = work(rows)
        if more:
            retention.settle(connection)
        return more, self._steady() - begin

    def _in_core(self, function: Callable[[], Any]) -> Any:
        def inside() -> Any:
            with LazyTransaction(self._core.connection):
                return function()

        return self._core.submit(inside).result(_ANSWER_S)
