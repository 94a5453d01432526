"""Scanning: the events of one row of the log, each with its place.

≠ which rows.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import zstandard
from claxon.event import Event

from ..decoding import decode_logged
from ..storage import log_rows
from ..storage.connecting import Connection
from ..storage.log_rows import Row


class UnreadableRow(Exception):
    """A row of the log cannot be read; the text is *where: value: remedy*."""


def opened(
    expand: Callable[[bytes], bytes], stored: bytes, *, offset: int, received_at: float, app: str
) -> list[Event]:
    """Return all completed events of a row's body, also those that were left out when they came.

    Raises:
        UnreadableRow: It is not what was written.
    """
    try:
        return decode_logged(expand(stored), received_at=received_at, app=app, skip=[])
    except (zstandard.ZstdError, msgspec.MsgspecError, ValueError) as fault:
        raise UnreadableRow(f"event log: row {offset}: {fault}: restore a backup") from fault


class Scanner:
    """Opens rows on one connection; for one thread, as its decompressor is."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._expand = zstandard.ZstdDecompressor().decompress

    def events(self, row: Row) -> list[tuple[int, Event]]:
        """Return the completed events of a row, but for those left out when they came; none of a pruned one."""
        stored = log_rows.body_of(self._connection, row.offset) if row.n else b""
        if not stored:
            return []
        events = opened(self._expand, stored, offset=row.offset, received_at=row.received_at, app=row.app)
        if not row.skip:
            return list(enumerate(events))
        left_out = set(row.skip)
        return [(i, event) for i, event in enumerate(events) if i not in left_out]

    def failures(self, row: Row) -> list[tuple[int, Event]]:
        """Return those of them that are no success."""
        return [(i, event) for i, event in self.events(row) if event.category != "ok"]
