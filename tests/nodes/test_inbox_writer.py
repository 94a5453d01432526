"""The inbox writer: durable before the answer, many a commit, and nobody waits for a database that is away."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Self

import pytest

from service import known
from service.decoding import BadBody, take_each
from service.nodes.inbox_writer import InboxWriter
from service.storage import event_log, inbox
from service.storage.database import open_beside, open_database, open_reader
from service.storage.errors import DatabaseError, UnreachableError, is_full
from service.storage.inbox import InboxRow
from service.storage.places import PostgresUrl
from service.work import Ingest, NoneGood, NotPlain, Posted
from tests.support.netfault import Mode, lay_wires
from tests.support.postgres import Postgres, start_postgres, url_of
from tests.support.running import until

pytestmark = pytest.mark.peer("postgres")

GOOD = {"model": "m", "status": 200}
NOON = 1_700_000_000.0


def sent(*events: dict[str, Any], key: str | None = None) -> Ingest:
    return of_body(json.dumps(events).encode(), key=key)


def of_body(body: bytes, *, key: str | None = None) -> Ingest:
    posted = Posted(body, event_log.compress(body))
    return Ingest(batch=posted, received_at=NOON, app="shop", key=key, client_dropped=3)


def rows_of(place: PostgresUrl) -> list[InboxRow]:
    reader = open_reader(place)
    found = inbox.read(reader, after=0, most=1000, most_bytes=1 << 30)
    reader.close()
    return found


@pytest.fixture
def writer(place: PostgresUrl) -> Iterator[InboxWriter]:
    with Writing(place) as found:
        yield found.writer


class Writing:
    """A writer that runs."""

    def __init__(self, place: PostgresUrl, *, patience_s: float = 5.0) -> None:
        self.writer = InboxWriter(lambda: open_beside(place), node="here:1", patience_s=patience_s)

    def __enter__(self) -> Self:
        self.writer.start()
        assert until(lambda: not self.writer.refusal, 20), self.writer.refusal
        return self

    def __exit__(self, *_: object) -> None:
        self.writer.stop()


def test_a_batch_is_in_the_inbox_before_its_sender_hears_of_it(writer: InboxWriter, place: PostgresUrl) -> None:
    taken = writer.ingest(sent(GOOD, GOOD, key="k\0one")).result(10)

    (row,) = rows_of(place)
    assert taken.answer == '{"accepted":2,"rejected":[]}'
    assert (row.n, row.app, row.key, row.client_dropped, row.node) == (2, "shop", "k\0one", 3, "here:1")
    assert row.received_at == NOON
    assert json.loads(event_log.expanded(row.body) or b"") == [GOOD, GOOD]
    assert (writer.tally.batches, writer.tally.events) == (1, 2)


def test_what_waits_shares_a_commit(writer: InboxWriter, place: PostgresUrl) -> None:
    futures = [writer.ingest(sent(GOOD)) for _ in range(200)]

    assert [future.result(10).answer for future in futures] == ['{"accepted":1,"rejected":[]}'] * 200
    assert len(rows_of(place)) == 200
    assert writer.tally.commits < 100
    assert until(lambda: (writer.waiting, writer.waiting_bytes) == (0, 0), 5)


def test_bad_events_are_refused_one_by_one_and_the_row_says_what_was_said(
    writer: InboxWriter, place: PostgresUrl
) -> None:
    taken = writer.ingest(sent(GOOD, {"status": 1})).result(10)

    (row,) = rows_of(place)
    said = json.loads(taken.answer)
    assert (said["accepted"], row.n) == (1, 1)
    assert json.loads(row.refusals) == said["rejected"]


def test_what_cannot_be_taken_is_refused_as_by_the_core(writer: InboxWriter, place: PostgresUrl) -> None:
    with pytest.raises(BadBody):
        writer.ingest(of_body(b"")).result(10)
    with pytest.raises(NoneGood):
        writer.ingest(sent({"status": 1})).result(10)
    with pytest.raises(NotPlain):
        writer.ingest(sent({"status": 1}, *[GOOD] * 2000)).result(10)

    assert rows_of(place) == []


def test_what_events_are_known_by_goes_with_them(writer: InboxWriter, place: PostgresUrl) -> None:
    batch = take_each([{"model": "m", "status": 200}], received_at=NOON, app="shop")
    batch.claims = {0: (known.Asked("s\0x"), "r\0y")}
    work = Ingest(batch=batch, received_at=NOON, app="shop", key=None, spans=True)
    writer.ingest(work).result(10)

    (row,) = rows_of(place)
    assert known.from_text(row.claims) == {0: (known.Asked("s\0x"), "r\0y")}
    assert row.spans


def test_the_good_ones_are_written_where_one_of_a_group_cannot_be(writer: InboxWriter, place: PostgresUrl) -> None:
    """A surrogate by itself is text to Python, and none to anybody else."""
    futures = [writer.ingest(sent(GOOD, key="\ud800" if i == 7 else None)) for i in range(20)]

    faults = [future.exception(10) for future in futures]
    assert [i for i, fault in enumerate(faults) if fault is not None] == [7]
    assert isinstance(faults[7], DatabaseError)
    assert len(rows_of(place)) == 19
    assert writer.refusal == ""


def test_before_the_database_is_reached_everybody_is_told_to_send_again() -> None:
    def connect() -> Any:
        raise UnreachableError("postgresql://nowhere: gone")

    writer = InboxWriter(connect, node="here:1")
    writer.start()
    assert until(lambda: "nowhere" in writer.refusal, 5)

    fault = writer.ingest(sent(GOOD)).exception(1)

    assert isinstance(fault, DatabaseError)
    assert "send again later" in str(fault)
    assert not is_full(fault)
    writer.stop()


def test_a_restart_of_the_server_is_gone_through_and_each_is_answered() -> None:
    with start_postgres() as server:
        place = PostgresUrl(server.url(server.create_database()))
        open_database(place).close()
        with Writing(place) as writing:
            writer = writing.writer
            writer.ingest(sent(GOOD)).result(10)
            server.kill9()
            faults = [writer.ingest(sent(GOOD)).exception(10) for _ in range(3)]
            server.start()
            assert until(lambda: not writer.refusal, 20)
            writer.ingest(sent(GOOD)).result(10)

        assert all(isinstance(fault, DatabaseError) for fault in faults)
        assert len(rows_of(place)) == 2
        assert writer.tally.faults


def test_nobody_waits_for_a_database_that_hangs_and_a_re_post_is_harmless(
    postgres: Postgres, database: str, place: PostgresUrl
) -> None:
    with lay_wires() as wires:
        wire = wires.wire(postgres.port)
        through = PostgresUrl(url_of(wire.port, database=database))
        with Writing(through, patience_s=0.5) as writing:
            writer = writing.writer
            # It is written, and nobody hears of it.
            wire.mode = Mode.MUTE
            first = writer.ingest(sent(GOOD, key="a"))
            assert isinstance(first.exception(5), DatabaseError)
            # The door is shut, and who is through it already does not wait either.
            assert "no answer" in writer.refusal
            assert isinstance(writer.ingest(sent(GOOD)).exception(1), DatabaseError)
            wire.mode = Mode.PASS
            assert until(lambda: not writer.refusal, 20)
            writer.ingest(sent(GOOD, key="a")).result(10)

        assert {row.key for row in rows_of(place)} == {"a"}


def test_at_its_end_what_is_queued_is_written(place: PostgresUrl) -> None:
    with Writing(place) as writing:
        futures = [writing.writer.ingest(sent(GOOD)) for _ in range(100)]

    assert all(future.done() and future.exception() is None for future in futures)
    assert len(rows_of(place)) == 100


def test_a_schema_that_is_not_there_yet_is_waited_for(postgres: Postgres, database: str) -> None:
    place = PostgresUrl(postgres.url(database))
    writer = InboxWriter(lambda: open_beside(place), node="here:1")
    writer.start()
    assert until(lambda: "empty" in writer.refusal, 10)

    open_database(place).close()

    assert until(lambda: not writer.refusal, 10)
    writer.stop()
