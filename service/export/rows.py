"""Rows: the batches of the log from the oldest on, a few megabytes at a time.

Between two readings no transaction is open, so that the write-ahead log can be emptied
however long the whole takes. What is pruned meanwhile is not there.

≠ what is wanted of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import TypeAlias

import msgspec
import zstandard
from claxon.event import Event

from ..search.scanning import opened
from ..storage import event_log, log_rows
from ..storage.connecting import Connection

PORTION = 4 * 1024 * 1024
"""Compressed bytes that are read at once; one batch at least."""

_ROWS = 10_000

Batch: TypeAlias = tuple[int, float, str, list[int], bytes]
"""A row: offset, when it was received, the app of events that name none, what was left out, its body."""

_QUERY = (
    "SELECT offset, received_at, app, skip, body FROM event_log WHERE offset > ? AND offset <= ? AND n > 0 "
    "AND received_at >= ? ORDER BY offset"
)


def events(
    connection: Connection, takes: Callable[[Event], bool], *, since: float
) -> Iterator[tuple[float, list[Event]]]:
    """Yield when a batch was received and what is wanted of it, batch by batch, up to the row that is the last now.

    Args:
        connection: A reader's.
        takes: Whether an event is wanted.
        since: No batch that came before is opened: no event of it is later.

    Raises:
        UnreadableRow: A row is not what was written.
    """
    expand = zstandard.ZstdDecompressor().decompress
    first, last = log_rows.ends(connection)
    for offset, received_at, app, skip, body in _batches(connection, after=first - 1, last=last, since=since):
        found = opened(expand, body, offset=offset, received_at=received_at, app=app)
        left_out = set(skip)
        wanted = [event for i, event in enumerate(found) if i not in left_out and takes(event)]
        if wanted:
            yield received_at, wanted


def _batches(connection: Connection, *, after: int, last: int, since: float) -> Iterator[Batch]:
    # What a connection reads it may hold as a whole, so it is asked for no more than that.
    while (end := event_log.end_of_piece(connection, after, last, rows=_ROWS, stored=PORTION)) is not None:
        with closing(connection.execute(_QUERY, (after, end, since))) as rows:
            portion: list[Batch] = [
                (offset, received_at, app, msgspec.json.decode(skip, type=list[int]) if skip else [], body)
                for offset, received_at, app, skip, body in rows
            ]
        after = end
        # Taken out one by one: a body that was used is given back.
        portion.reverse()
        while portion:
            yield portion.pop()
