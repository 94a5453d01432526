"""The indexer: a thread that sorts failures into segments, those that are new and those from before the index.

It reads on a connection of its own; what it writes goes through the core's thread in slices.

≠ how they are sorted, what is asked.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from functools import partial
from typing import Any, Protocol

import structlog

from ..background import Background
from ..storage import failure_segments, failures, log_rows
from ..storage.connecting import Connection
from ..storage.database import LazyTransaction
from ..storage.failure_segments import Segment
from .scanning import Scanner
from .sorting import BLOCK, ENOUGH, Failure, sort

MOST_ROWS = 4096
"""Batches that are sorted at once."""

LOOK_S = 1.0
"""How often it looks."""

_MOST_EVENTS = 100_000  # opened at once of the log from before the index
_SHARE = 0.2  # of one processor, at most
_DROPPED = 1000  # rows a slice
_ANSWER_S = 60.0

_log = structlog.get_logger(__name__)


class Core(Protocol):
    """Who writes."""

    connection: Connection

    def submit(self, function: Callable[[], Any]) -> Future[Any]:
        """Run a function in the thread that writes."""


class Indexer(Background):
    """Call `start`, then `stop`; or `step`, for one segment now."""

    def __init__(
        self,
        core: Core,
        open_reader: Callable[[], Connection],
        *,
        enough: int = ENOUGH,
        rows: int = MOST_ROWS,
        block: int = BLOCK,
    ) -> None:
        """Take note of who writes, and how to read.

        Args:
            core: Who writes.
            open_reader: Opens a connection to read by.
            enough: Failures that are worth a segment.
            rows: Batches that are sorted at once; with so many waiting they are, however few failures they have.
            block: Failures of a block.
        """
        super().__init__("claxon-indexer")
        self._enough, self._rows, self._block = enough, rows, block
        self._core = core
        self._open_reader = open_reader

    def _run(self) -> None:
        connection: Connection | None = None
        while not self._ending.is_set():
            spent = -time.thread_time()
            try:
                connection = connection or self._open_reader()
                more = self.step(connection)
            except Exception:  # noqa: BLE001 — the thread must go on: searches read what is not sorted
                _log.exception("indexer.failed")
                more = False
                # A connection that has faulted may be good for nothing any more.
                if connection is not None:
                    connection.close()
                connection = None
            spent += time.thread_time()
            self._ending.wait(spent * (1 / _SHARE - 1) if more else LOOK_S)
        if connection is not None:
            connection.close()

    def step(self, connection: Connection) -> bool:
        """Store a segment if there is enough for one; return whether there may be enough for another."""
        done = failure_segments.last_indexed(connection)
        waiting = failures.waiting(connection, rows=self._rows)
        if waiting and waiting[0][0] <= done:
            # Left over by a crash; no search looks at them.
            self._drop(done)
            return True
        chosen = self._chosen(waiting)
        if chosen:
            self._store(self._sorted(_new(connection, chosen), first=chosen[0], last=chosen[-1]))
            self._drop(chosen[-1])
            return True
        return self._go_back(connection)

    def _go_back(self, connection: Connection) -> bool:
        last, first = failures.unindexed(connection), log_rows.ends(connection)[0]
        if last < first:
            return False
        found, reached = _older(connection, last, enough=self._enough)
        segment = self._sorted(found, first=reached, last=last)
        self._store(segment, then=lambda: failures.index_down_to(self._core.connection, reached - 1))
        if reached <= first:
            _log.info("indexer.caught_up", offset=reached)
        return True

    def _chosen(self, waiting: list[tuple[int, int]]) -> list[int]:
        """Return the oldest batches that make a segment; none if there are too few."""
        chosen: list[int] = []
        total = 0
        for offset, n in waiting:
            chosen.append(offset)
            total += n
            if total >= self._enough:
                return chosen
        return chosen if len(chosen) == self._rows else []

    def _sorted(self, found: Iterable[Failure], *, first: int, last: int) -> Segment:
        return sort(found, first=first, last=last, block=self._block, breathe=_breathe)

    def _store(self, segment: Segment, *, then: Callable[[], None] = lambda: None) -> None:
        connection = self._core.connection
        number = 0
        if segment.blocks:
            number = self._write(lambda: failure_segments.next_id(connection))
            for blocks in failure_segments.slices(segment):
                self._write(partial(failure_segments.put_blocks, connection, number, blocks))

        def finish() -> None:
            if segment.blocks:
                failure_segments.finish(connection, number, segment)
            then()

        self._write(finish)

    def _drop(self, up_to: int) -> None:
        drop = partial(failures.drop, self._core.connection, up_to=up_to, rows=_DROPPED)
        while self._write(drop) == _DROPPED:
            pass

    def _write(self, function: Callable[[], Any]) -> Any:
        def inside() -> Any:
            with LazyTransaction(self._core.connection):
                return function()

        return self._core.submit(inside).result(_ANSWER_S)


def _new(connection: Connection, offsets: Iterable[int]) -> Iterator[Failure]:
    scanner = Scanner(connection)
    for offset in offsets:
        body = failures.body_of(connection, offset)
        if body is not None:
            found = failures.decoded(body)
        else:
            row = log_rows.row(connection, offset)
            found = scanner.failures(row) if row is not None else []
        yield from ((offset, index, event) for index, event in found)


def _older(connection: Connection, last: int, *, enough: int) -> tuple[list[Failure], int]:
    """Return failures of the rows up to `last`, from the newest down, and the row up to which they go."""
    scanner, opened, reached = Scanner(connection), 0, 0
    found: list[Failure] = []
    for row in log_rows.backwards(connection, last):
        reached = row.offset
        opened += row.n + len(row.skip)
        found += [(row.offset, index, event) for index, event in scanner.failures(row)]
        _breathe()
        if len(found) >= enough or opened >= _MOST_EVENTS:
            break
    return found, reached


def _breathe() -> None:
    # The interpreter gives others their turn only every few milliseconds; a batch that arrives should not wait for it.
    time.sleep(0.0005)
