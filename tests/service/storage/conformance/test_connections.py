"""What each engine must do as a `Connection`, on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from service import known
from service.storage import claims, event_log, log_rows, rejects, snapshots
from service.storage.connecting import Connection
from service.storage.database import LazyTransaction, ReadTransaction, Transaction, leader, open_database, open_reader
from service.storage.errors import ConnectionLostError, DatabaseError, FencedError, InUseError
from service.storage.event_log import LoggedBatch
from service.storage.places import Place, PostgresUrl
from service.storage.postgres_lock import ElectionLock
from tests.support.postgres import Postgres, start_postgres


@pytest.fixture
def own_server() -> Iterator[Postgres]:
    """One that the test may end."""
    with start_postgres() as server:
        yield server


def append(connection: Connection, app: str = "shop") -> int:
    batch = LoggedBatch(received_at=1.0, observed_at=2.0, app=app, n=1, body=b"")
    return event_log.append(connection, batch, event_log.compress(b"[1]"))


def test_what_is_committed_is_read_by_another_connection(writer: Connection, place: Place) -> None:
    with Transaction(writer):
        append(writer, "a\0b\ufffe")
        snapshots.save_cursor(writer, snapshots.Cursor(offset=1, at=2.0, hash="x", decided=3))
    reader = open_reader(place)
    with ReadTransaction(reader):
        found = [(row.offset, row.app, row.body) for row in event_log.read(reader, -1)]
        cursor = snapshots.load_cursor(reader)
    reader.close()
    assert found == [(1, "a\0b\ufffe", b"[1]")]
    assert cursor == snapshots.Cursor(offset=1, at=2.0, hash="x", decided=3)


def test_what_is_rolled_back_leaves_no_gap_in_the_log(writer: Connection) -> None:
    with Transaction(writer):
        append(writer)
    writer.begin()
    append(writer)
    writer.rollback()
    with Transaction(writer):
        append(writer)
    assert [row.offset for row in event_log.read(writer, -1)] == [1, 2]
    assert log_rows.ends(writer) == (1, 2)


def test_a_name_is_new_once(writer: Connection) -> None:
    with Transaction(writer):
        assert claims.claim(writer, ["shop\0a"], 1.0)
        assert not claims.claim(writer, ["shop\0a"], 2.0)
        assert claims.claim(writer, ["shop\0b"], 2.0)


def test_names_are_new_once_in_order_whichever_event_of_a_batch_has_them(writer: Connection) -> None:
    batch = {
        0: ("shop\0a",),
        1: ("shop\0a",),
        2: (known.Asked("s"), known.Noted("d"), "r1"),
        3: (known.Asked("d"), "r2"),
        4: (known.Noted("d"),),
        5: ("r3", "r1"),
        6: (),
        7: (known.Asked("never"), "shop\0b"),
    }
    with Transaction(writer):
        first = claims.claim_each(writer, batch, 1.0)
        again = claims.claim_each(writer, batch, 2.0)

    assert first == [1, 3, 5]
    assert again == [0, 1, 2, 3, 5, 7]
    assert all(claims.knows(writer, name) for name in ("shop\0a", "shop\0b", "r1", "r2", "r3", "d"))
    assert not claims.knows(writer, "s")


@pytest.mark.parametrize("seed", range(20))
def test_claimed_together_or_one_by_one_comes_to_the_same(writer: Connection, seed: int) -> None:
    chance = random.Random(seed)

    def batch() -> dict[int, tuple[str, ...]]:
        kinds = (str, known.Asked, known.Noted)
        return {
            i: tuple(chance.choice(kinds)(chance.choice("abcdefgh")) for _ in range(chance.randint(0, 3)))
            for i in range(12)
        }

    batches = [batch() for _ in range(3)]
    found = []
    for together in (True, False):
        writer.begin()
        skips = [
            claims.claim_each(writer, one, 1.0)
            if together
            else [i for i in one if not claims.claim(writer, one[i], 1.0)]
            for one in batches
        ]
        found.append((skips, writer.execute("SELECT id FROM event_ids ORDER BY id").fetchall()))
        writer.rollback()
    assert found[0] == found[1]


def test_a_lazy_transaction_is_one(writer: Connection) -> None:
    with LazyTransaction(writer):
        rejects.add(writer, [(1.0, "shop", "{}")], now=1.0)
    assert rejects.find(writer, app="shop", since=0.0, limit=5) == [(1, "{}")]


def test_a_second_one_is_kept_out_until_the_first_is_closed(writer: Connection, place: Place) -> None:
    with pytest.raises(InUseError):
        open_database(place)
    writer.close()
    open_database(place).close()


class Lingering(psycopg.Connection[Any]):
    """A session whose end the server has not noticed yet."""

    def close(self) -> None:
        """Leave it as it is."""


@pytest.mark.peer("postgres")
def test_another_is_elected_at_once_whenever_the_server_notices_that_the_session_ended(server: Postgres) -> None:
    url = server.url(server.create_database())
    left = Lingering.connect(url, autocommit=True)
    with psycopg.connect(url, autocommit=True) as raw:
        lock = ElectionLock(left)
        assert not ElectionLock(raw).taken
        lock.close()

        other = ElectionLock(raw)

        assert other.taken
        other.close()
    psycopg.Connection.close(left)


def test_a_reader_cannot_write(writer: Connection, place: Place) -> None:
    reader = open_reader(place)
    with pytest.raises(DatabaseError):
        append(reader)
    reader.close()


@pytest.mark.peer("postgres")
def test_who_is_not_elected_any_more_writes_nothing(server: Postgres) -> None:
    name = server.create_database()
    url = PostgresUrl(server.url(name))
    old = open_database(url, node="old:1")
    server.sql("UPDATE leader SET generation = generation + 1, node = 'new:1'", name)
    with pytest.raises(FencedError), Transaction(old):
        append(old)
    assert not old.in_transaction
    with pytest.raises(FencedError):
        log_rows.ends(old)
    old.close()
    reader = open_reader(url)
    assert log_rows.ends(reader) == (log_rows.NEVER, -1)
    reader.close()
    found = leader(url)
    assert found is not None
    assert (found.node, found.generation) == ("new:1", 2)


@pytest.mark.peer("postgres")
def test_what_a_database_has_for_others_does_not_hold_for_a_node(server: Postgres) -> None:
    name = server.create_database()
    usual = {"idle_session_timeout": "1s", "statement_timeout": "1s", "lock_timeout": "1s", "synchronous_commit": "off"}
    for setting, value in (usual | {"default_transaction_isolation": "serializable"}).items():
        server.sql(f"ALTER DATABASE {name} SET {setting} = '{value}'")
    connection = open_database(PostgresUrl(server.url(name)))
    found = {setting: connection.execute(f"SHOW {setting}").fetchone()[0] for setting in usual}
    isolation = connection.execute("SHOW default_transaction_isolation").fetchone()[0]
    connection.close()
    assert found == {
        "idle_session_timeout": "0",
        "statement_timeout": "0",
        "lock_timeout": "0",
        "synchronous_commit": "on",
    }
    assert isolation == "read committed"


@pytest.mark.peer("postgres")
def test_a_server_that_was_killed_is_a_lost_connection(own_server: Postgres) -> None:
    url = PostgresUrl(own_server.url(own_server.create_database()))
    before = open_database(url)
    with Transaction(before):
        append(before)
    own_server.kill9()
    own_server.start()
    with pytest.raises(ConnectionLostError), Transaction(before):
        append(before)
    before.close()
    after = open_database(url)
    assert [row.offset for row in event_log.read(after, -1)] == [1]
    after.close()
