"""Nodes that are there are seen, and those that were stopped or killed are not."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from service import __version__
from service.keys.in_force import Keys
from service.nodes.presence import Presence
from service.settings import Settings
from service.storage import nodes, postgres_schema, upgrading
from service.storage.database import open_beside, open_database
from service.storage.nodes import ALIVE_S, Node
from service.storage.places import PostgresUrl
from service.storage.postgres_schema import Step
from tests.support.postgres import Postgres, start_postgres
from tests.support.running import Process, until


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with start_postgres() as server:
        yield server


@pytest.fixture
def url(server: Postgres) -> PostgresUrl:
    return PostgresUrl(server.url(server.create_database()))


def alive(url: PostgresUrl) -> dict[str, tuple[str, bool]]:
    found = upgrading.status(url)
    assert found is not None
    return {one.node.node: (one.node.roles, one.elected) for one in found.nodes if one.alive}


def test_two_nodes_are_seen_and_one_that_is_stopped_is_not(url: PostgresUrl, tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
    first = Process(tmp_path / "a", arguments=["--data", url.secret])
    second = Process(tmp_path / "b", arguments=["--data", url.secret, "--role", "evaluate,deliver"])
    with first, second:
        both = {first.url: ("all", True), second.url: ("evaluate,deliver", False)}
        assert until(lambda: alive(url) == both, 10), alive(url)
        first.end(signal.SIGTERM)
        assert until(lambda: alive(url) == {second.url: ("evaluate,deliver", True)}, 10), alive(url)
        first.start()
        assert until(lambda: alive(url) == {first.url: ("all", False), second.url: ("evaluate,deliver", True)}, 10)


def test_what_was_taken_away_from_is_seen_again_once_the_server_is_back(tmp_path: Path) -> None:
    with start_postgres() as server:
        url = PostgresUrl(server.url(server.create_database()))
        open_database(url).close()
        presence = Presence(Settings(data=url, advertise="http://a:1"), Keys(), beat_s=0.05)
        presence.start()
        assert until(lambda: alive(url) == {"http://a:1": ("all", False)}, 10)
        server.kill9()
        server.start()
        server.sql(f"UPDATE nodes SET seen_at = seen_at - {ALIVE_S}", url.secret.rpartition("/")[2])
        assert until(lambda: alive(url) == {"http://a:1": ("all", False)}, 10)
        presence.stop()
        assert alive(url) == {}


def test_a_node_takes_away_by_itself_what_no_older_one_needs(url: PostgresUrl, monkeypatch: pytest.MonkeyPatch) -> None:
    old = postgres_schema.steps()
    open_database(url).close()
    step = Step(number=len(old) + 1, name="pager", pre="SELECT 1", post="CREATE TABLE was_taken (id BIGINT)")
    monkeypatch.setattr(postgres_schema, "steps", lambda: (*old, step))
    upgrading.run_pre(url)
    connection = open_beside(url)
    nodes.beat(connection, Node(id="x", node="http://old:1", roles="all", version=__version__, schema=len(old)))
    connection.execute("UPDATE schema_version SET changed_at = changed_at - ?", (upgrading.GRACE_S,))
    presence = Presence(Settings(data=url), Keys(), beat_s=0.05, look_s=0.05)
    presence.start()

    def schema() -> int:
        found = upgrading.status(url)
        assert found is not None
        return found.compatible_from

    assert until(lambda: len(alive(url)) == 2, 10)
    assert schema() == 1
    connection.execute("UPDATE nodes SET seen_at = seen_at - ? WHERE id = 'x'", (upgrading.GRACE_S,))
    assert until(lambda: schema() == len(old) + 1, 10)
    presence.stop()
    connection.close()
