"""Snapshots and the cursor on each engine: which are kept, which are read, and what of the log they hold fast."""

from __future__ import annotations

import msgspec

from service.storage import event_log, log_rows, retention, snapshots
from service.storage.connecting import Connection
from service.storage.database import Transaction
from service.storage.event_log import LoggedBatch, RulesChanged
from service.storage.snapshots import ANCHOR_EVERY_S, Cursor


class State(msgspec.Struct):
    """Of an engine, in short."""

    n: int


def save(connection: Connection, offset: int, *, at: float | None = None) -> None:
    with Transaction(connection):
        snapshots.save(
            connection, offset=offset, at=float(offset) if at is None else at, rules="r", state=State(offset)
        )


def append(connection: Connection, rows: int, *, size: int = 10) -> None:
    with Transaction(connection):
        for number in range(rows):
            row = LoggedBatch(received_at=1.0, observed_at=float(number), app="shop", n=1, body=b"")
            event_log.append(connection, row, event_log.compress(bytes(size)))


def kept(connection: Connection) -> list[int]:
    return [row[0] for row in connection.execute("SELECT offset FROM snapshots ORDER BY offset").fetchall()]


def test_the_two_newest_and_an_anchor_are_kept(writer: Connection) -> None:
    for offset in (1, 2, 3, 4):
        save(writer, offset)
    assert kept(writer) == [1, 3, 4]
    save(writer, 5, at=ANCHOR_EVERY_S + 2)
    save(writer, 6, at=ANCHOR_EVERY_S + 3)
    save(writer, 7, at=ANCHOR_EVERY_S + 4)
    assert kept(writer) == [1, 5, 6, 7]
    newest, oldest = snapshots.load_newest(writer, State), snapshots.load_oldest(writer, State)
    assert newest is not None
    assert oldest is not None
    assert (newest.offset, newest.state.n, newest.rules, oldest.offset) == (7, 7, "r", 1)
    with Transaction(writer):
        assert snapshots.drop_anchors(writer, before=ANCHOR_EVERY_S + 2.5) == 5
        assert snapshots.drop_oldest_anchor(writer)
        assert not snapshots.drop_oldest_anchor(writer)
    assert kept(writer) == [6, 7]


def test_a_snapshot_that_cannot_be_read_is_passed_over(writer: Connection) -> None:
    save(writer, 1)
    save(writer, 2)
    writer.execute("UPDATE snapshots SET body = ? WHERE offset = ?", (b"not zstd", 2))
    found = snapshots.load_newest(writer, State)
    assert found is not None
    assert found.offset == 1


def test_the_cursor_moves_and_is_nowhere_at_first(writer: Connection) -> None:
    assert snapshots.load_cursor(writer) == Cursor()
    for moved in (Cursor(offset=3, at=float("-inf")), Cursor(offset=9, at=2.5, hash="ab", decided=4)):
        with Transaction(writer):
            snapshots.save_cursor(writer, moved)
        assert snapshots.load_cursor(writer) == moved


def test_the_log_is_read_in_pieces_that_fit_in_memory(writer: Connection) -> None:
    append(writer, 5)
    assert event_log.end_of_piece(writer, -1, event_log.LAST) == 5
    assert event_log.end_of_piece(writer, 1, 4, rows=2) == 3
    assert event_log.end_of_piece(writer, 1, 4, stored=1) == 2
    assert event_log.end_of_piece(writer, 5, event_log.LAST) is None
    assert [row.offset for row in event_log.read_in_pieces(writer, 1, 4)] == [2, 3, 4]
    assert event_log.end(writer) == 6
    before = event_log.before(writer, 3)
    assert before is not None
    assert before.offset == 2
    assert log_rows.last_before(writer, 2.5) == 3
    assert [row.offset for row in log_rows.backwards(writer, 3)] == [3, 2, 1]


def test_the_oldest_rows_go_but_none_that_a_snapshot_needs_and_never_the_last(writer: Connection) -> None:
    append(writer, 9)
    save(writer, 4)
    with Transaction(writer):
        assert log_rows.drop_oldest(writer, before=3.0, up_to=retention.snapshots.oldest(writer), rows=2).rows == 2
        assert retention.drop_oldest(writer, rows=9) == log_rows.Dropped(2, 2, 3.0)
        assert log_rows.drop_oldest(writer, before=None, up_to=99, rows=99).rows == 4
    assert log_rows.ends(writer) == (9, 9)
    append(writer, 1)
    assert log_rows.ends(writer) == (9, 10)


def test_rules_are_put_before_a_log_that_begins_without_any(writer: Connection) -> None:
    append(writer, 2)
    with Transaction(writer):
        event_log.put_first(writer, RulesChanged(rules="[]", first=True))
    first = event_log.first(writer)
    assert first is not None
    assert (first.offset, first.entry) == (0, RulesChanged(rules="[]", first=True))


def test_an_answer_is_remembered_by_its_key_for_a_day(writer: Connection) -> None:
    with Transaction(writer):
        event_log.remember_answer(writer, "k\0one", '{"accepted": 1}', 10.0)
        event_log.remember_answer(writer, "k\0one", '{"accepted": 2}', 20.0)
        event_log.remember_answer(writer, "k\0two", "{}", 99.0)
    assert event_log.seen_answer(writer, "k\0one") == '{"accepted": 2}'
    with Transaction(writer):
        assert not retention.forget_names(writer, before=50.0, rows=10)
    assert event_log.seen_answer(writer, "k\0one") is None
    assert event_log.seen_answer(writer, "k\0two") == "{}"


def test_what_is_held_can_be_said(writer: Connection) -> None:
    before = retention.size(writer).used
    append(writer, 1, size=1)
    with Transaction(writer):
        for _ in range(40):
            row = LoggedBatch(received_at=1.0, observed_at=1.0, app="shop", n=1, body=b"")
            event_log.append(writer, row, b"x" * 100_000)
    assert 4_000_000 <= retention.size(writer).used - before < 8_000_000
    assert retention.oldest_at(writer) == 0.0
