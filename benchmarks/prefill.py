"""A log of many events, written through the storage functions, without a service: a hundred million in minutes.

What differs from a log that a service wrote: the rows are a few hundred bodies over and over, each with its own time
of receipt over the last day; nothing waits for the disk until the end; and the engine whose snapshot ends it has seen
a sample of a thousand rows over the day and the last two hundred, not all of them. It is of the size and the shape of
the real one, so a start, a query and an ingest cost what they cost there; `claxon verify` would not agree with it.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import msgspec
from claxon.event import Event

from alerts.default_rules import DEFAULT_RULES
from alerts.evaluator import Engine
from benchmarks.records import make_events
from service.decoding import decode_logged
from service.restart import CoreState
from service.rule_texts import to_text
from service.search.indexer import Indexer
from service.storage import event_log, failures, snapshots
from service.storage.database import Transaction, open_database, open_reader
from service.storage.event_log import LoggedBatch, RulesChanged
from service.storage.snapshots import Cursor

BATCH = 500
DAY_S = 86_400.0
BODIES = 200
FAILING = 0.003
ROWS_A_COMMIT = 2_000
SAMPLE = 1_000
LAST = 200


def fill(data: Path, events: int) -> float:
    """Write a log of so many events into an empty folder; return the seconds that took."""
    began = time.perf_counter()
    bodies = list(_bodies())
    connection = open_database(data)
    connection.execute("PRAGMA synchronous = OFF")
    engine = Engine(DEFAULT_RULES)
    rows = max(1, events // BATCH)
    begin = time.time() - DAY_S
    with Transaction(connection):
        event_log.append_entry(connection, RulesChanged(rules=to_text(DEFAULT_RULES), first=True), begin)
    offset = 0
    for first in range(0, rows, ROWS_A_COMMIT):
        with Transaction(connection):
            for i in range(first, min(first + ROWS_A_COMMIT, rows)):
                at = begin + DAY_S * i / rows
                body, stored, failed = bodies[i % BODIES]
                offset = event_log.append(connection, _row(at), stored)
                _note(connection, offset, failed, at)
                if i % max(1, rows // SAMPLE) == 0 or i >= rows - LAST:
                    engine.observe(decode_logged(body, received_at=at, app="default", skip=[]), at)
    _remember(connection, engine, offset)
    _sort(connection, data)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return time.perf_counter() - began


def _bodies() -> Iterator[tuple[bytes, bytes, list[tuple[int, Event]]]]:
    """Yield bodies whose events happened when they arrived: as posted, as stored, and their failures by place."""
    for seed in range(BODIES):
        events: list[dict[str, Any]] = make_events(BATCH, seed=seed, failing=FAILING)
        body = msgspec.json.encode([{k: v for k, v in event.items() if k != "time"} for event in events])
        decoded = decode_logged(body, received_at=0.0, app="default", skip=[])
        failed = [(i, event) for i, event in enumerate(decoded) if event.category != "ok"]
        yield body, event_log.compress(body), failed


def _row(at: float) -> LoggedBatch:
    return LoggedBatch(received_at=at, observed_at=at, app="default", n=BATCH, body=b"")


def _note(connection: sqlite3.Connection, offset: int, failed: list[tuple[int, Event]], at: float) -> None:
    if failed:
        failures.add(connection, offset, [(i, msgspec.structs.replace(event, at=at)) for i, event in failed], of=BATCH)


class _Alone:
    """Stands for the core where nobody else writes: what is submitted runs at once."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def submit(self, function: Callable[[], Any]) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(function())
        return done


def _sort(connection: sqlite3.Connection, data: Path) -> None:
    """Have the index of failures sorted, as a service does in the background long before a log is so long."""
    reader = open_reader(data)
    indexer = Indexer(_Alone(connection), lambda: reader)
    while indexer.step(reader):
        pass
    reader.close()


def _remember(connection: sqlite3.Connection, engine: Engine, offset: int) -> None:
    state = CoreState(engine=engine.state)
    with Transaction(connection):
        snapshots.save(connection, offset=offset, at=engine.now, rules=to_text(engine.rules.values()), state=state)
        cursor = Cursor(offset=offset, at=engine.now, hash=engine.ledger_hash, decided=engine.decided)
        snapshots.save_cursor(connection, cursor)
