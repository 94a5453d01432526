"""A database of any earlier schema becomes one of the present schema, and goes on where it was."""

from __future__ import annotations

import gzip
import sqlite3
from pathlib import Path

import pytest

from service.storage.database import StorageError, migrations, open_database
from service.storage.ledger import Wanted, find
from tests.support.bench import NOON, Bench

SCHEMA_1 = Path(__file__).parents[2] / "data/schema_1.db.gz"
"""A service of schema 1 wrote it: a rejected key that somebody acknowledged, an error rate, a restart, a lone 500."""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    (tmp_path / "claxon.sqlite3").write_bytes(gzip.decompress(SCHEMA_1.read_bytes()))
    return tmp_path


def schema(connection: sqlite3.Connection) -> set[tuple[str, ...]]:
    """Return every column and index; how a table came to have them does not matter."""
    names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    columns = {
        (table, *map(str, row[1:])) for table in names for row in connection.execute(f"PRAGMA table_info({table})")
    }
    indexes = {tuple(map(str, row)) for row in connection.execute("SELECT tbl_name, name FROM sqlite_master")}
    return columns | indexes


def test_an_old_database_has_the_schema_of_a_new_one(old: Path, tmp_path: Path) -> None:
    migrated, fresh = open_database(old), open_database(tmp_path / "fresh")

    assert schema(migrated) == schema(fresh)
    for connection in (migrated, fresh):
        assert connection.execute("PRAGMA user_version").fetchone()[0] == len(migrations())
        connection.close()


def test_what_an_old_ledger_holds_is_found_by_app_rule_and_time(old: Path) -> None:
    connection = open_database(old)

    cart = find(connection, Wanted(app="cart", since=NOON + 17), limit=100)
    auth = find(connection, Wanted(rule="ClaudeAuthError/page"), limit=100)
    lone = find(connection, Wanted(what="lone_500", app="search", environment="prod"), limit=100)
    sizes = connection.execute("SELECT max(total), sum(length(row)) FROM ledger").fetchone()
    connection.close()

    assert {row.labels["app"] for row in cart} == {"cart"}
    assert [row.at for row in cart] == sorted([row.at for row in cart], reverse=True)
    assert [row.what.value for row in auth] == ["acknowledged", "notified", "fired"]
    assert len(lone) == 1
    assert sizes[0] == sizes[1]


def test_a_service_on_an_old_database_goes_on_and_tells_nobody_again(old: Path) -> None:
    bench = Bench(old)
    before = bench.told()
    firing = {alert.labels["alertname"]: alert for alert in bench.ask(bench.core.engine.firing)}

    bench.wait(5)

    assert bench.told() == before
    assert firing["ClaudeAuthError"].acked_by == "ada"
    assert {"ClaudeErrorRate", "ClaudeConsecutiveServerErrors"} <= firing.keys()
    bench.close()


def test_a_migration_that_fails_leaves_the_database_as_it_was(old: Path) -> None:
    connection = sqlite3.connect(old / "claxon.sqlite3")
    connection.execute("CREATE TABLE rule_texts (in_the_way)")
    connection.commit()
    before = schema(connection)
    connection.close()

    with pytest.raises(StorageError, match="rule_texts already exists"):
        open_database(old)

    connection = sqlite3.connect(old / "claxon.sqlite3")
    assert schema(connection) == before
    assert connection.execute("PRAGMA user_version").fetchone()[0] == 1
    assert connection.execute("SELECT count(*) FROM snapshots").fetchone()[0] == 1
    connection.close()


def test_a_folder_without_a_database_is_not_made_one_where_none_is_wanted(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="not there: name the folder"):
        open_database(tmp_path / "typo", create=False)

    assert not (tmp_path / "typo").exists()
