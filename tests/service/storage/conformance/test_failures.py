"""The index of failures on each engine: the newest ones row by row, those before them in segments."""

from __future__ import annotations

import contextlib

from service.search.sorting import sort
from service.storage import failure_segments, failures
from service.storage.connecting import Connection
from service.storage.database import Transaction
from service.storage.failure_terms import hashed
from tests.support.events import NOON, exhausted


def test_failures_are_noted_with_their_batch_and_read_back(writer: Connection) -> None:
    failed = [(0, exhausted(NOON)), (3, exhausted(NOON + 7, path="/a\0b"))]
    with Transaction(writer):
        failures.add(writer, 5, failed, of=10)
        failures.add(writer, 6, [(i, exhausted(NOON + i)) for i in range(100)], of=100)
    assert failures.waiting(writer, rows=9) == [(5, 2), (6, 100)]
    assert failures.bounds(writer, after=5, since=NOON) == [(NOON + 99, 6)]
    body = failures.body_of(writer, 5)
    assert body is not None
    assert failures.decoded(body) == failed
    assert failures.body_of(writer, 6) is None
    assert failures.drop(writer, up_to=5, rows=9) == 1
    assert failures.waiting(writer, rows=9) == [(6, 100)]


def test_what_is_rolled_back_was_not_noted(writer: Connection) -> None:
    with contextlib.suppress(ZeroDivisionError), Transaction(writer):
        failures.add(writer, 7, [(0, exhausted(NOON))], of=1)
        raise ZeroDivisionError
    assert failures.waiting(writer, rows=9) == []


def test_a_segment_is_found_once_it_is_whole_and_goes_with_its_rows_of_the_log(writer: Connection) -> None:
    found = [(offset, 0, exhausted(NOON + offset, request_id=f"r{offset}")) for offset in range(1, 40)]
    segment = sort(found, first=1, last=39, block=8)
    with Transaction(writer):
        number = failure_segments.next_id(writer)
        for blocks in failure_segments.slices(segment):
            failure_segments.put_blocks(writer, number, blocks)
    assert failure_segments.last_indexed(writer) == -1
    assert failure_segments.overlapping(writer, after=0, since=NOON, until=NOON + 100) == []
    with Transaction(writer):
        failure_segments.finish(writer, number, segment)
    stored = failure_segments.overlapping(writer, after=0, since=NOON, until=NOON + 100)[0]
    assert (stored.id, stored.first, stored.oldest, stored.newest) == (number, 1, NOON + 1, NOON + 39)
    assert [place for place, _, _ in stored.blocks()] == [
        number * failure_segments.MOST_BLOCKS + i for i in range(len(segment.blocks))
    ]
    bodies = [failure_segments.body_of(writer, place) for place, _, _ in stored.blocks()]
    assert bodies == [block.body for block in segment.blocks]
    assert failure_segments.last_indexed(writer) == 39
    of_r7 = failure_segments.blocks_with(writer, hashed("request_id", "r7"))
    assert [len(places) for places in of_r7.values()] == [1]
    assert failure_segments.blocks_with(writer, hashed("request_id", "no such")) == {}
    with Transaction(writer):
        assert not failure_segments.delete_one(writer, up_to=38)
        assert failure_segments.delete_one(writer, up_to=39)
        assert not failure_segments.delete_one(writer, up_to=39)
    assert failure_segments.last_indexed(writer) == -1


def test_what_was_there_before_the_index_is_known_down_to_a_row(writer: Connection) -> None:
    assert failures.unindexed(writer) == -1
    with Transaction(writer):
        failures.index_down_to(writer, 4)
    assert failures.unindexed(writer) == 4
