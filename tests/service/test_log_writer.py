"""The log writer: durable before the answer, in order, and the core may work while the disk does."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from service.decoding import BadBody
from service.doubt import Doubt
from service.log_writer import LogWriter
from service.overlap import Overlap
from service.storage import event_log
from service.storage.database import open_database
from service.work import Ingest, NoneGood, Posted, Tally
from tests.support.bench import NOON, Bench


def sent(*events: dict[str, Any], key: str | None = None) -> Ingest:
    return of_body(json.dumps(events).encode(), key=key)


def of_body(body: bytes, *, key: str | None = None) -> Ingest:
    return Ingest(batch=Posted(body, event_log.compress(body)), received_at=NOON, app="default", key=key)


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = open_database(tmp_path)
    yield connection
    connection.close()


@pytest.fixture
def writer(connection: sqlite3.Connection) -> Iterator[LogWriter]:
    writer = LogWriter(connection, Tally(), Overlap(connection), Doubt(connection), steady=time.monotonic)
    yield writer
    writer.close()


GOOD = {"model": "m", "status": 200}


def lose_the_commit(connection: sqlite3.Connection) -> None:
    """Have the transaction that is open fail when it is committed, and not before."""
    connection.execute("CREATE TABLE parent (id INTEGER PRIMARY KEY)")
    connection.execute("CREATE TABLE child (id REFERENCES parent DEFERRABLE INITIALLY DEFERRED)")
    connection.execute("INSERT INTO child VALUES (1)")


def test_the_core_works_while_the_disk_writes_and_senders_are_answered_when_it_has(
    writer: LogWriter, connection: sqlite3.Connection
) -> None:
    work = sent(GOOD, {"model": "m", "status": 500})
    worked = []

    rows = writer.write([work], NOON, meanwhile=lambda: worked.append(work.done.result(timeout=10).answer))

    assert worked == ['{"accepted":2,"rejected":[]}']
    assert [(row.offset, len(row.events)) for row in rows or []] == [(1, 2)]
    assert [batch.n for batch in event_log.read(connection, 0)] == [2]


def test_the_core_may_write_too_once_the_writer_has_settled(writer: LogWriter, connection: sqlite3.Connection) -> None:
    def also_write() -> None:
        writer.settle()
        assert not connection.in_transaction
        connection.execute("INSERT INTO idempotency (key, answer, at) VALUES ('k', 'a', 0)")

    assert writer.write([sent(GOOD)], NOON, meanwhile=also_write)
    assert event_log.seen_answer(connection, "k") == "a"


@pytest.mark.parametrize("overlapped", [True, False])
def test_a_commit_that_fails_is_told_to_every_sender_and_leaves_nothing_behind(
    writer: LogWriter, connection: sqlite3.Connection, overlapped: bool
) -> None:
    connection.execute("PRAGMA foreign_keys = ON")
    works, worked = [sent(GOOD, key="k"), sent(GOOD)], []

    rows = writer.write(
        works,
        NOON,
        also=lambda: lose_the_commit(connection),
        meanwhile=(lambda: worked.append(True)) if overlapped else None,
    )

    assert rows is None
    assert [type(work.done.exception(timeout=10)) for work in works] == [sqlite3.IntegrityError] * 2
    assert worked == [True] * overlapped
    assert not connection.in_transaction
    assert list(event_log.read(connection, 0)) == []
    again = sent(GOOD, key="k")
    assert writer.write([again], NOON)
    assert again.done.result(timeout=10).answer == '{"accepted":1,"rejected":[]}'


def test_a_fault_before_the_commit_rolls_all_of_it_back(writer: LogWriter, connection: sqlite3.Connection) -> None:
    def fault() -> None:
        raise sqlite3.OperationalError("database or disk is full")

    work = sent(GOOD)
    assert writer.write([work], NOON, also=fault) is None
    assert str(work.done.exception(timeout=10)) == "database or disk is full"
    assert list(event_log.read(connection, 0)) == []


def test_a_body_that_says_nothing_good_costs_its_neighbours_nothing(writer: LogWriter) -> None:
    bad, refused, good = of_body(b"{"), sent({"status": 200}), sent(GOOD)

    rows = writer.write([bad, refused, good], NOON)

    assert len(rows or []) == 1
    assert isinstance(bad.done.exception(timeout=10), BadBody | NoneGood)
    fault = refused.done.exception(timeout=10)
    assert isinstance(fault, NoneGood)
    assert fault.batch.refusals[0].error.startswith("model: missing:")
    assert good.done.result(timeout=10).answer == '{"accepted":1,"rejected":[]}'


def test_nothing_good_at_all_is_no_transaction_and_the_core_works_on(writer: LogWriter) -> None:
    worked = []

    assert writer.write([of_body(b"{")], NOON, meanwhile=lambda: worked.append(True)) == []
    assert worked == [True]


def test_a_sender_that_gave_up_before_the_commit_has_its_events_logged(
    writer: LogWriter, connection: sqlite3.Connection
) -> None:
    gone, refused = sent(GOOD), of_body(b"{")
    assert gone.done.cancel()
    assert refused.done.cancel()

    assert writer.write([gone, refused], NOON)
    assert [batch.n for batch in event_log.read(connection, 0)] == [1]


def batches() -> list[Ingest]:
    """Rejected keys of many apps, among successes, of batches that fill several groups."""
    made = []
    for i in range(60):
        events = [{"model": "m", "app": f"app-{i % 7}", "path": f"/p{j % 3}", "status": 200} for j in range(9)]
        status = 401 if i % 10 == 3 else 500 if i % 4 == 0 else 200
        made.append(sent(*events, {"model": "m", "app": f"app-{i}", "status": status}))
    return made


def test_batches_that_wait_together_are_decided_as_if_each_had_come_alone(tmp_path: Path) -> None:
    together, alone = Bench(tmp_path / "together"), Bench(tmp_path / "alone")
    hold = threading.Event()
    together.core.submit(lambda: hold.wait(10))

    works = batches()
    asked = [together.core.ingest(work) for work in works[:30]]
    between = together.core.submit(lambda: together.core.engine.decided)
    asked += [together.core.ingest(work) for work in works[30:]]
    hold.set()
    assert {done.result(10).answer for done in asked} == {'{"accepted":10,"rejected":[]}'}
    decided = []
    for i, work in enumerate(batches()):
        if i == 30:
            decided.append(alone.ask(lambda: alone.core.engine.decided))
        alone.core.ingest(work).result(10)
        alone.settle()

    # What is asked between two batches is asked of all that came before.
    assert between.result(10) == decided[0]
    assert len(together.told()) == 6
    assert sorted(together.told()) == sorted(alone.told())
    assert together.hash() == alone.hash()
    found = together.hash()
    together.crash()
    assert together.core.tally.diverged == 0
    assert together.hash() == found
    together.close()
    alone.close()


def test_a_clock_that_jumps_between_two_groups_is_logged_behind_what_was_observed_before(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    hold = threading.Event()
    bench.core.submit(lambda: hold.wait(10))
    looked: list[float] = []

    def clock() -> float:
        # Set ahead by an hour while batches wait.
        looked.append(0.0)
        return bench.now + (3600.0 if len(looked) > 1 else 0.0)

    bench.core._watch._wall = clock
    asked = [bench.core.ingest(work) for work in batches()[:8]]
    hold.set()
    for done in asked:
        done.result(10)
    bench.settle()

    assert bench.core.tally.jumps["ahead"] == 1
    found = bench.hash()
    bench.now += 3600.0
    bench.steady += 1.0
    bench.crash()
    assert bench.core.tally.diverged == 0
    assert bench.hash()[1] >= found[1]
    bench.close()


def test_what_was_logged_is_evaluated_though_the_next_group_cannot_be_written(tmp_path: Path) -> None:
    """The page of a group that is durable must not wait for a disk that fills up behind it."""
    bench = Bench(tmp_path)
    hold = threading.Event()
    bench.core.submit(lambda: hold.wait(10))
    pages = bench.core.connection.execute("PRAGMA page_count").fetchone()[0]
    bench.core.connection.execute(f"PRAGMA max_page_count = {pages + 60}")
    large = [{"model": "m", "status": 200, "call_id": os.urandom(60).hex()} for _ in range(20_000)]

    small = [bench.core.ingest(sent({"model": "m", "app": f"app-{i}", "status": 401})) for i in range(2)]
    refused = bench.core.ingest(sent(*large))
    hold.set()

    assert [done.result(10).answer for done in small] == ['{"accepted":1,"rejected":[]}'] * 2
    assert "full" in str(refused.exception(10))
    bench.settle()
    assert len(bench.told()) == 2
    bench.close()


def test_a_body_that_we_stumble_over_ends_nothing_but_itself(writer: LogWriter) -> None:
    odd = Ingest(batch=Posted(None, b""), received_at=NOON, app="default", key=None)  # type: ignore[arg-type]
    good = sent(GOOD)

    assert len(writer.write([odd, good], NOON) or []) == 1
    assert isinstance(odd.done.exception(timeout=10), AttributeError)
    assert good.done.result(timeout=10).answer == '{"accepted":1,"rejected":[]}'
