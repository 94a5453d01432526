"""A server for all tests of a folder that do not end it, a pager, and what nodes are configured with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from service.storage.database import open_database
from service.storage.places import PostgresUrl
from tests.support.pager import Pager
from tests.support.postgres import Postgres, start_postgres

RULES = """
rules:
  - alert: KeyRejected
    any: {}
    match: ['status="401"']
    by: [app]
    keep_firing_for: 1s
"""

CONFIG = """
route: {{receiver: on-call}}
rule_files: ["{rules}"]
receivers: [{{name: on-call, webhook_configs: [{{url: "{url}/hook"}}]}}]
"""


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with start_postgres() as server:
        yield server


@pytest.fixture
def database(postgres: Postgres) -> Iterator[str]:
    """The name of an empty database."""
    name = postgres.create_database()
    yield name
    postgres.drop_database(name)


@pytest.fixture
def place(postgres: Postgres, database: str) -> PostgresUrl:
    """Where a database is that has the present schema."""
    found = PostgresUrl(postgres.url(database))
    open_database(found).close()
    return found


@pytest.fixture
def pager() -> Iterator[Pager]:
    with Pager() as receiver:
        yield receiver


@pytest.fixture
def config(tmp_path: Path, pager: Pager) -> str:
    """What pages the pager of a key that is rejected, and of its end a second later."""
    (tmp_path / "rules.yml").write_text(RULES)
    return CONFIG.format(rules=tmp_path / "rules.yml", url=pager.url)
