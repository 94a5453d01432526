"""The ledger in SQLite: no question looks at every row."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.storage.database import open_database
from service.storage.ledger import Wanted


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    opened = open_database(tmp_path)
    yield opened
    opened.close()


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(),
        Wanted(subject="a"),
        Wanted(what="fired"),
        Wanted(app="x"),
        Wanted(rule="r"),
        Wanted(app="x", since=1.0),
    ],
)
def test_every_question_is_answered_by_an_index(connection: sqlite3.Connection, wanted: Wanted) -> None:
    condition, values = wanted.where()
    query = f"EXPLAIN QUERY PLAN SELECT row FROM ledger WHERE {condition} ORDER BY at DESC, id DESC LIMIT 10"

    plan = " ".join(row[3] for row in connection.execute(query, values))

    assert "INDEX ledger_" in plan
    assert "TEMP B-TREE" not in plan
