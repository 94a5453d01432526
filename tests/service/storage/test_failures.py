"""The index of failures is written with the batch: all of its failures, in one transaction."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from service.storage import failures
from service.storage.database import Transaction, open_database
from tests.support.bench import NOON, Bench
from tests.support.events import exhausted


def noted(connection: sqlite3.Connection) -> list[tuple[int, int, float, bool]]:
    rows = connection.execute("SELECT offset, n, newest, body IS NULL FROM failures_new ORDER BY offset")
    return [(offset, n, newest, bool(left_out)) for offset, n, newest, left_out in rows]


def test_a_batch_is_logged_with_its_failures_and_without_those_known_before(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    before = bench.core.source.offset

    bench.post([{"model": "m", "status": 200}, {"model": "m", "status": 500, "event_id": "a", "time": NOON - 5}])
    bench.post([{"model": "m", "status": 500, "event_id": "a"}, {"model": "m", "status": 200}])
    bench.post([{"model": "m", "status": 200}])

    assert noted(bench.core.connection) == [(before + 1, 1, NOON - 5, False)]
    bench.close()


def test_a_batch_that_is_rolled_back_leaves_no_failures(tmp_path: Path) -> None:
    connection = open_database(tmp_path)

    with contextlib.suppress(ZeroDivisionError), Transaction(connection):
        failures.add(connection, 7, [(0, exhausted(NOON))], of=1)
        raise ZeroDivisionError

    assert noted(connection) == []
    connection.close()


def test_of_a_large_batch_that_failed_as_a_whole_nothing_is_kept_twice(tmp_path: Path) -> None:
    connection = open_database(tmp_path)
    all_failed = [(i, exhausted(NOON + i)) for i in range(100)]

    failures.add(connection, 1, all_failed, of=100)
    failures.add(connection, 2, all_failed[:50], of=100)
    failures.add(connection, 3, all_failed[:10], of=10)

    assert [left_out for *_, left_out in noted(connection)] == [True, False, False]
    connection.close()
