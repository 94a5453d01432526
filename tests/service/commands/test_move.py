"""`claxon move`: from a folder to a real PostgreSQL, where a service goes on as if nothing had happened."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from service.cli import main
from service.commands.saying import facts_of
from service.storage.database import open_database
from service.storage.places import PostgresUrl
from tests.support.pager import Pager
from tests.support.postgres import Postgres, start_postgres
from tests.support.running import Process, until

CONFIG = """
route: {{receiver: on-call}}
receivers: [{{name: on-call, webhook_configs: [{{url: "{url}"}}]}}]
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with start_postgres() as server:
        yield server


@pytest.fixture
def url(server: Postgres) -> str:
    return server.url(server.create_database())


@pytest.fixture(scope="module")
def pager() -> Iterator[Pager]:
    with Pager() as pager:
        yield pager


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, pager: Pager) -> Path:
    """Return the data of a service that had two alerts, of which one was told, and is stopped."""
    folder = tmp_path_factory.mktemp("one")
    with Process(folder, config=CONFIG.format(url=pager.url)) as claxon:
        for app in ("shop", "a\0b\ufffe"):
            posted = claxon.post([{"app": app, "model": "m", "environment": "prod", "status": 401}] * 3)
            assert posted[0] == 202, posted
        pager.wait_for(2)
        assert claxon.request("POST", "/v1/keys", b'{"name": "ada", "scope": "admin"}')[0] == 201
    return folder / "data"


def rows_of_folder(folder: Path) -> dict[str, int]:
    with sqlite3.connect(folder / "claxon.sqlite3") as raw:
        names = raw.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        return {name: raw.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for (name,) in names.fetchall()}


def rows_of_server(url: str, names: set[str]) -> dict[str, int]:
    with psycopg.connect(url) as raw:
        found: dict[str, Any] = {name: raw.execute(f"SELECT count(*) FROM {name}").fetchone() for name in names}
        return {name: row[0] for name, row in found.items()}


def test_a_service_goes_on_from_the_copy_and_tells_nobody_again(
    folder: Path, url: str, pager: Pager, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = rows_of_folder(folder)
    assert before["event_log"] > 0
    assert main(["move", "--from", str(folder), "--to", url]) == 0
    assert f"moved: {sum(before.values()):,} rows of {len(before)} tables" in capsys.readouterr().out
    assert rows_of_server(url, set(before)) == before
    assert main(["verify", "--data", url]) == 0
    assert "the same" in capsys.readouterr().out

    told = len(pager.received)
    with Process(tmp_path, config=CONFIG.format(url=pager.url), arguments=["--data", url]) as claxon:
        refused = claxon.request("GET", "/v1/alerts")
        assert refused[0] == 401, "the key that was made is in force"
        assert until(lambda: claxon.request("GET", "/-/elected")[0] == 200, 20)
    assert main(["verify", "--data", url]) == 0
    assert [one.json["alerts"][0]["labels"]["app"] for one in pager.received[told:]] == []


def test_it_says_with_json_what_is_documented(folder: Path, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["move", "--from", str(folder), "--to", url, "--json"]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert {one["table"]: one["rows"] for one in found["tables"]} == rows_of_folder(folder)
    from service.cli import make_parser
    from tests.support.parsers import commands_of

    facts = facts_of(dict(commands_of(make_parser()))[("move",)])
    assert facts is not None
    assert set(found) == set(facts.fields)


def test_a_database_that_was_used_is_left_as_it_is(folder: Path, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["move", "--from", str(folder), "--to", url]) == 0
    before = rows_of_server(url, {"event_log", "audit"})
    assert main(["move", "--from", str(folder), "--to", url]) == 2
    assert "not empty: event_log has rows" in capsys.readouterr().err
    assert rows_of_server(url, {"event_log", "audit"}) == before


def test_a_folder_in_use_is_refused_and_nothing_is_copied(
    folder: Path, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    held = open_database(folder)
    assert main(["move", "--from", str(folder), "--to", url]) == 2
    held.close()
    assert "in use" in capsys.readouterr().err


def test_what_fails_halfway_leaves_the_database_empty(
    folder: Path, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    open_database(PostgresUrl(url)).close()
    with psycopg.connect(url) as raw:
        raw.execute("ALTER TABLE rejects ADD CONSTRAINT none CHECK (false)")
        raw.execute("ALTER TABLE outbox ADD CONSTRAINT none CHECK (false)")
    assert main(["move", "--from", str(folder), "--to", url]) == 2
    assert "violates check constraint" in capsys.readouterr().err
    assert set(rows_of_server(url, {"event_log", "ledger", "keys"}).values()) == {0}


def test_what_comes_after_gets_numbers_of_its_own(folder: Path, url: str) -> None:
    assert main(["move", "--from", str(folder), "--to", url]) == 0
    with psycopg.connect(url) as raw:
        newest = raw.execute("SELECT max(id) FROM audit").fetchone()
        made = raw.execute("SELECT nextval(pg_get_serial_sequence('audit', 'id'))").fetchone()
    assert newest is not None
    assert made is not None
    assert made[0] == newest[0] + 1


def test_from_folder_to_folder_is_refused(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["move", "--from", str(folder), "--to", str(tmp_path)]) == 2
    assert "copy the files" in capsys.readouterr().err
