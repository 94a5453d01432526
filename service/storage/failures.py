"""The newest failures: noted with their batch, read back, and dropped once they are sorted into segments.

≠ segments, what is asked.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import msgspec
from claxon.event import Event

MANY = 64
"""Failures of a batch from which it matters how large a part of it they are."""

_ENCODE = msgspec.msgpack.Encoder()


def add(connection: sqlite3.Connection, offset: int, failed: Sequence[tuple[int, Event]], *, of: int) -> None:
    """Note the failures of a batch that was just appended, inside the caller's transaction.

    Args:
        connection: The database.
        offset: The batch's row of the log.
        failed: Completed events that are no success, each with its place in the logged body, without those that
            the batch's `skip` leaves out.
        of: How many events the batch has.
    """
    newest = max([event.at for _, event in failed])
    # Of a large batch that failed as a whole the log's own blob is as good, and is written already.
    body = None if len(failed) >= MANY and 2 * len(failed) >= of else _ENCODE.encode(failed)
    connection.execute("INSERT INTO failures_new VALUES (?, ?, ?, ?)", (offset, len(failed), newest, body))
