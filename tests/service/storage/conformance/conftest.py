"""A database of each engine, empty, for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from service.storage.connecting import Connection
from service.storage.database import open_database, open_reader
from service.storage.places import Place, PostgresUrl
from tests.support.postgres import Postgres, start_postgres


@pytest.fixture(scope="session")
def server() -> Iterator[Postgres]:
    """One that no test ends."""
    with start_postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.peer("postgres"))])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "sqlite":
        return tmp_path
    server: Postgres = request.getfixturevalue("server")
    return PostgresUrl(server.url(server.create_database()))


@pytest.fixture
def writer(place: Place) -> Iterator[Connection]:
    connection = open_database(place)
    yield connection
    connection.close()


@pytest.fixture
def reader(writer: Connection, place: Place) -> Iterator[Connection]:
    """Another connection to what `writer` writes."""
    connection = open_reader(place)
    yield connection
    connection.close()
