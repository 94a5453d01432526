"""One PostgreSQL for all tests here; each has a database of its own, with our tables."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from service.storage.database import open_database
from service.storage.places import PostgresUrl
from tests.support.postgres import Postgres, start_postgres

TEMPLATE = "with_tables"


@pytest.fixture(scope="session")
def server() -> Iterator[Postgres]:
    with start_postgres() as server:
        server.create_database(TEMPLATE)
        open_database(PostgresUrl(server.url(TEMPLATE))).close()
        yield server


@pytest.fixture
def url(server: Postgres) -> Iterator[str]:
    """The URL of a database of the present schema."""
    name = server.create_database(template=TEMPLATE)
    yield server.url(name)
    server.drop_database(name)
