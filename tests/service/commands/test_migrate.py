"""`claxon migrate`, on a real PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from service.cli import main
from service.storage import nodes, postgres, postgres_schema
from service.storage.database import open_database, open_reader
from service.storage.nodes import Node
from service.storage.places import PostgresUrl
from service.storage.postgres_schema import Step
from tests.support.postgres import Postgres, start_postgres

OLD = postgres_schema.steps()
NAME = f"{len(OLD) + 1:04d}_pager"
NEW = (*OLD, Step(number=len(OLD) + 1, name="pager", pre="SELECT 1", post="SELECT 2"))


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with start_postgres() as server:
        yield server


@pytest.fixture
def url(server: Postgres, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return a database of the version before, which a node of it still reads."""
    url = server.url(server.create_database())
    open_database(PostgresUrl(url)).close()
    monkeypatch.setenv("CLAXON_DATA", url)
    return url


def test_pre_and_then_post_once_the_older_node_is_gone(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    older = open_reader(PostgresUrl(url))
    monkeypatch.setattr(postgres_schema, "steps", lambda: NEW)

    assert main(["migrate", "--status"]) == 0
    assert f"to add:       {NAME}\n" in capsys.readouterr().out
    assert main(["migrate"]) == 0
    said = capsys.readouterr().out
    assert f"done:         {NAME}\n" in said
    assert f"to take away: {NAME}, as soon as 1 connections of older nodes are gone\n" in said
    assert main(["migrate", "--post"]) == 1
    assert f"nodes of an older Claxon are connected (schema {len(OLD)})" in capsys.readouterr().err
    older.close()
    assert main(["migrate", "--post", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["taken"], found["pre"], found["post"]) == ([NAME], [], [])
    assert (found["schema"], found["compatible_from"], found["known"]) == (len(NEW), len(NEW), len(NEW))


def test_an_older_one_is_refused_after_that_and_says_what_to_do(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(postgres_schema, "steps", lambda: NEW)
        assert main(["migrate"]) == main(["migrate", "--post"]) == 0
    assert main(["migrate", "--status"]) == 2
    assert capsys.readouterr().err.endswith(f"this one knows {len(OLD)}: take the newer version\n")


def test_who_is_there_is_named(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    member = postgres.open_beside(PostgresUrl(url))
    for address, roles in (("http://a:1", "ingest"), ("http://b:1", "evaluate,deliver")):
        nodes.beat(member, Node(id=address, node=address, roles=roles, version="0.1.0", schema=len(OLD)))
    member.execute("UPDATE leader SET generation = 1, node = 'http://b:1'")
    member.close()

    assert main(["migrate", "--status"]) == 0
    said = capsys.readouterr().out
    assert f"node:         http://a:1 ingest, 0.1.0, knows schema {len(OLD)}\n" in said
    assert f"node:         http://b:1 evaluate,deliver, 0.1.0, knows schema {len(OLD)}, elected\n" in said
