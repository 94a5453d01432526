"""What the inbox promises, on a real PostgreSQL: any node adds, the elected one takes, and nothing is there twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from service import known
from service.storage import inbox
from service.storage.connecting import Connection
from service.storage.database import StorageError, Transaction, open_beside, open_database
from service.storage.errors import EngineError
from service.storage.inbox import InboxRow
from service.storage.places import PostgresUrl
from tests.support.postgres import Postgres, start_postgres


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with start_postgres() as server:
        yield server


@pytest.fixture
def place(server: Postgres) -> PostgresUrl:
    return PostgresUrl(server.url(server.create_database()))


@pytest.fixture
def elected(place: PostgresUrl) -> Iterator[Connection]:
    connection = open_database(place)
    yield connection
    connection.close()


@pytest.fixture
def node(elected: Connection, place: PostgresUrl) -> Iterator[Connection]:
    connection = open_beside(place)
    yield connection
    connection.close()


def batch(key: str | None = None, *, body: bytes = b"[]", claims: str = "") -> InboxRow:
    return InboxRow(
        received_at=10.5,
        app="sh\0p",
        key=key,
        n=1,
        claims=claims,
        refusals="",
        spans=False,
        client_dropped=2,
        node="here:1",
        body=body,
    )


def put(connection: Connection, *rows: InboxRow) -> None:
    with Transaction(connection):
        inbox.put(connection, rows)


def found(connection: Connection, *, after: int = 0, most: int = 100, most_bytes: int = 1 << 20) -> list[InboxRow]:
    return inbox.read(connection, after=after, most=most, most_bytes=most_bytes)


def test_what_one_node_adds_the_elected_one_reads_in_order(node: Connection, elected: Connection) -> None:
    row = batch("k\0\ufffe", body=b"\0\xff")
    put(node, row, batch())

    first, second = found(elected)

    assert first == row._replace(id=first.id)
    assert second.id > first.id
    assert inbox.first_ids(elected, 5) == [first.id, second.id]
    assert found(elected, after=first.id) == [second]


def test_names_that_are_asked_for_and_names_that_are_noted_stay_what_they_are(
    node: Connection, elected: Connection
) -> None:
    claims = {0: (known.Asked("s\0a"), known.Noted("d\0b"), "r\0c"), 7: ()}
    put(node, batch(claims=known.to_text(claims)))

    (row,) = found(elected)
    after = known.from_text(row.claims)

    assert after == claims
    assert [name.__class__ for name in after[0]] == [known.Asked, known.Noted, str]
    assert known.from_text("") == {}


def test_a_kind_of_name_that_a_newer_claxon_wrote_is_no_name_of_ours() -> None:
    with pytest.raises(ValueError, match="a newer Claxon"):
        known.from_text('{"0": [["spoken", "x"]]}')


def test_as_many_are_read_as_the_memory_may_hold_and_one_that_is_larger_alone(
    node: Connection, elected: Connection
) -> None:
    put(node, *[batch(body=b"x" * size) for size in (400, 400, 400, 5000, 10)])

    assert [len(row.body) for row in found(elected, most_bytes=800)] == [400, 400]
    third = found(elected)[2].id
    assert [len(row.body) for row in found(elected, after=third, most_bytes=800)] == [5000]
    assert len(found(elected, most=4)) == 4
    some = inbox.read(elected, after=0, most=9, most_bytes=1 << 20, most_events=2)
    assert [row.n for row in some] == [1, 1]


def test_what_is_taken_is_gone_with_the_transaction_that_takes_it(node: Connection, elected: Connection) -> None:
    put(node, batch(), batch(), batch())
    ids = inbox.first_ids(elected, 9)
    elected.begin()
    inbox.take(elected, ids[:2])
    elected.rollback()
    assert inbox.first_ids(node, 9) == ids

    with Transaction(elected):
        inbox.take(elected, ids[:2])

    assert inbox.first_ids(node, 9) == ids[2:]


def test_nothing_is_taken_twice(node: Connection, elected: Connection) -> None:
    put(node, batch(), batch())
    ids = inbox.first_ids(elected, 9)
    with Transaction(elected):
        inbox.take(elected, ids[:1])

    with pytest.raises(EngineError, match="logged before"), Transaction(elected):
        inbox.take(elected, ids)

    assert inbox.first_ids(node, 9) == ids[1:]


def test_a_row_that_is_committed_late_has_a_lower_id_and_is_seen_from_the_beginning(
    place: PostgresUrl, node: Connection, elected: Connection
) -> None:
    late = open_beside(place)
    late.begin()
    inbox.put(late, [batch("late")])
    put(node, batch("early"))
    (early,) = found(elected)
    late.commit()
    late.close()

    assert found(elected, after=early.id) == []
    assert [row.key for row in found(elected)] == ["late", "early"]


def test_what_nobody_can_take_is_moved_aside_whole(server: Postgres, node: Connection, elected: Connection) -> None:
    put(node, batch("bad", body=b"?"), batch("good"))
    bad, good = inbox.first_ids(elected, 9)

    with Transaction(elected):
        inbox.set_aside(elected, bad, why="no JSON", at=20.0)

    assert inbox.first_ids(elected, 9) == [good]
    assert inbox.poisoned(elected) == 1
    row = elected.execute("SELECT key, body, why, at, received_at FROM inbox_poison").fetchone()
    assert row == ("bad", b"?", "no JSON", 20.0, 10.5)


def test_how_much_waits_is_told_without_looking_at_each_row(node: Connection, elected: Connection) -> None:
    assert inbox.backlog(elected) == inbox.Backlog()

    put(node, *[batch(body=b"x" * 3000)] * 150)

    assert inbox.backlog(elected) == inbox.Backlog(150, 450_000, 10.5)


def test_of_the_rejects_of_nodes_the_newest_are_kept(node: Connection, elected: Connection) -> None:
    with Transaction(node):
        inbox.put_rejects(node, [(float(i), "shop", f'{{"i":{i}}}') for i in range(inbox.MOST_REJECTS + 5)])

    with Transaction(elected):
        first = inbox.take_rejects(elected, 2)
        rest = inbox.take_rejects(elected, 2000)

    assert first == [(5.0, "shop", '{"i":5}'), (6.0, "shop", '{"i":6}')]
    assert len(rest) == inbox.MOST_REJECTS - 2
    assert inbox.take_rejects(elected, 1) == []


def test_a_folder_is_one_nodes_alone(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="name a PostgreSQL"):
        open_beside(tmp_path)


def test_a_database_that_is_empty_is_left_to_the_elected_node(place: PostgresUrl) -> None:
    with pytest.raises(StorageError, match="empty"):
        open_beside(place)
