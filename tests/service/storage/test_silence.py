"""A node that stands still in a transaction: PostgreSQL ends it, and what it had locked is free."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from service.storage import partitions
from service.storage.connecting import Connection
from service.storage.database import open_beside, open_database
from service.storage.errors import ConnectionLostError
from service.storage.places import PostgresUrl
from tests.support.counting import until
from tests.support.postgres import Postgres, start_postgres

pytestmark = pytest.mark.peer("postgres")

ROWS = [("a", 1.0), ("b", 2.0)]
_NOTE = "INSERT INTO event_ids (id, at) VALUES (?, ?)"


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with start_postgres() as started:
        yield started


@pytest.mark.parametrize(
    "does",
    [
        lambda connection: None,
        lambda connection: connection.execute(_NOTE, ROWS[0]),
        lambda connection: connection.executemany(_NOTE, ROWS),
    ],
    ids=["begun", "one row", "many rows"],
)
def test_what_it_had_open_is_undone(server: Postgres, does: Callable[[Connection], object]) -> None:
    place = PostgresUrl(server.url(server.create_database()))
    open_database(place).close()
    still, other = open_beside(place), open_beside(place)
    patience = partitions.hasten(still, silent_s=2)
    assert patience is not None
    still.begin()
    does(still)

    began = time.monotonic()
    asked = "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'"
    until(lambda: other.execute(asked).fetchone()[0] == 0, within_s=20)

    assert time.monotonic() - began < 10
    assert other.execute("SELECT count(*) FROM event_ids").fetchone()[0] == 0
    with pytest.raises(ConnectionLostError):
        still.commit()
    patience.close()
    still.close()
    other.close()


def test_an_answer_that_does_not_come_is_not_waited_for(server: Postgres) -> None:
    place = PostgresUrl(server.url(server.create_database()))
    open_database(place).close()
    connection = open_beside(place)
    patience = partitions.hasten(connection, patience_s=0.5)
    assert patience is not None
    connection.execute("SELECT pg_sleep(0.1)")  # one that comes is

    began = time.monotonic()
    with pytest.raises(ConnectionLostError):
        connection.execute("SELECT pg_sleep(30)")

    assert time.monotonic() - began < 15
    patience.close()
    connection.close()
