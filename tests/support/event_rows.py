"""A log written row by row with its index of failures, without a service; and what is found in it by brute force."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import msgspec
from claxon.event import Event

from service.decoding import decode, decode_logged
from service.search.looking import Found
from service.storage import event_log, failures
from service.storage.database import Transaction, open_database, open_reader


class Rows:
    """The database of a folder; what is submitted runs at once."""

    def __init__(self, folder: Path) -> None:
        self.connection = open_database(folder)
        self.connection.execute("PRAGMA synchronous = OFF")
        self.reader = open_reader(folder)

    def submit(self, function: Callable[[], Any]) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(function())
        return done

    def append(
        self, events: list[dict[str, Any]], *, at: float, skip: list[int] | None = None, noted: bool = True
    ) -> int:
        """Log a batch as the core does; return its offset. `noted=False`: as a Claxon without the index did."""
        left_out = set(skip or [])
        batch = decode(msgspec.json.encode(events), ndjson=False, received_at=at, app="default")
        row = event_log.LoggedBatch(
            received_at=at, observed_at=at, app="default", n=len(events) - len(left_out), skip=skip or [], body=b""
        )
        failed = [(i, e) for i, e in enumerate(batch.events) if e.category != "ok" and i not in left_out]
        with Transaction(self.connection):
            offset = event_log.append(self.connection, row, event_log.compress(batch.body))
            if failed and noted:
                failures.add(self.connection, offset, failed, of=len(events))
        if not noted:
            failures.index_down_to(self.connection, offset)
        return offset

    def every(self) -> list[Found]:
        """Return all events of the log, in its order."""
        found = []
        for row in event_log.read(self.connection, -1):
            if row.n == 0:
                continue
            events = decode_logged(row.body, received_at=row.received_at, app=row.app, skip=[])
            found += [
                Found(event=event, offset=row.offset, index=i) for i, event in enumerate(events) if i not in row.skip
            ]
        return found

    def close(self) -> None:
        self.reader.close()
        self.connection.close()


def place(found: Found) -> tuple[float, int, int]:
    return found.event.at, found.offset, found.index


def holds(event: Event, asked: dict[str, Any]) -> bool:
    """Whether an event has the values that are asked for, by name."""
    return all(getattr(event, name) == value for name, value in asked.items())
