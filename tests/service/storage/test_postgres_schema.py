"""The schema of PostgreSQL's database changes while nodes of two versions run on it, on a real server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from service.storage import nodes, postgres, postgres_schema, upgrading
from service.storage.database import Transaction, open_database, open_reader
from service.storage.errors import OlderNodesError, StorageError
from service.storage.nodes import Node
from service.storage.places import PostgresUrl
from service.storage.postgres_schema import Step, arranged
from service.storage.upgrading import Status
from tests.support.postgres import Postgres, start_postgres

OLD = postgres_schema.steps()
STEP = Step(
    number=len(OLD) + 1,
    name="pager",
    pre="CREATE TABLE pager (id BIGINT); ALTER TABLE rejects ADD COLUMN why TEXT",
    post="ALTER TABLE rejects DROP COLUMN total",
)
NEW = (*OLD, STEP)
AFTER = (*NEW, Step(number=STEP.number + 1, name="later", pre="CREATE TABLE later (id BIGINT)", post=""))


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with start_postgres() as server:
        yield server


@pytest.fixture
def url(server: Postgres) -> PostgresUrl:
    return PostgresUrl(server.url(server.create_database()))


@pytest.fixture
def as_version(monkeypatch: pytest.MonkeyPatch) -> Version:
    return Version(monkeypatch)


class Version:
    """Has what follows be of a version that knows some steps."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._patch = patch

    @contextmanager
    def __call__(self, steps: tuple[Step, ...]) -> Iterator[None]:
        with self._patch.context() as patch:
            patch.setattr(postgres_schema, "steps", lambda: steps)
            yield


def tables(url: PostgresUrl) -> set[tuple[str, str]]:
    with psycopg.connect(url.secret) as raw:
        rows = raw.execute("SELECT table_name, column_name FROM information_schema.columns WHERE table_schema='public'")
        return set(rows.fetchall())


def status(url: PostgresUrl) -> Status:
    found = upgrading.status(url)
    assert found is not None
    return found


def upgrade(url: PostgresUrl, as_version: Version, steps: tuple[Step, ...] = NEW) -> None:
    with as_version(OLD):
        open_database(url).close()
    with as_version(steps):
        upgrading.run_pre(url)


def test_the_steps_of_this_version_have_numbers_without_a_gap() -> None:
    assert [step.number for step in OLD] == list(range(1, len(OLD) + 1))


@pytest.mark.parametrize(
    ("files", "named"),
    [
        (["0001.sql", "0003_x.sql"], "0003_x.sql: must be number 0002"),
        (["0001.sql", "0001_x.sql"], "0001_x.sql: must be number 0002"),
        (["0001.sql", "0002_x.post.sql"], "0002_x.post.sql: without a part pre"),
        (["1.sql"], "1.sql: must be number 0001"),
    ],
)
def test_a_step_that_is_out_of_order_is_named(files: list[str], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        arranged((name, "") for name in files)


def test_a_post_belongs_to_the_pre_beside_it() -> None:
    found = arranged([("0002_x.post.sql", "c"), ("0001.sql", "a"), ("0002_x.sql", "b")])
    assert [(one.number, one.name, one.pre, one.post) for one in found] == [(1, "", "a", ""), (2, "x", "b", "c")]


def test_all_pre_and_then_all_post_lead_where_step_by_step_does(server: Postgres, as_version: Version) -> None:
    """Several versions may be skipped at once; a new database takes each step whole."""
    urls = [PostgresUrl(server.url(server.create_database())) for _ in range(2)]
    with as_version(AFTER):
        upgrading.run_pre(urls[0])
    upgrade(urls[1], as_version, AFTER)
    with as_version(AFTER):
        assert upgrading.run_post(urls[1]) == (f"{STEP.number:04d}_pager",)
        states = [status(url) for url in urls]
    assert tables(urls[0]) == tables(urls[1])
    assert [(one.schema, one.compatible_from, one.pre, one.post) for one in states] == [
        (len(AFTER), STEP.number, (), ())
    ] * 2


def test_the_version_before_goes_on_after_pre(url: PostgresUrl, as_version: Version) -> None:
    with as_version(OLD):
        before = open_database(url)
    with as_version(NEW):
        assert upgrading.run_pre(url) == (f"{STEP.number:04d}_pager",)
        assert upgrading.run_pre(url) == ()
    with Transaction(before):
        before.execute("INSERT INTO rejects (id, at, app, total, row) VALUES (1, 1.0, 'shop', 1, '')")
    before.close()
    with as_version(OLD):
        again = open_database(url)
        assert again.execute("SELECT total FROM rejects").fetchall() == [(1,)]
        again.close()
        open_reader(url).close()


def test_post_waits_for_the_last_connection_of_an_older_version(url: PostgresUrl, as_version: Version) -> None:
    upgrade(url, as_version)
    with as_version(OLD):
        reader = open_reader(url)
    with as_version(NEW):
        with pytest.raises(OlderNodesError, match=rf"schema {len(OLD)}\): stop them") as refused:
            upgrading.run_post(url)
        assert refused.value.schemas == (len(OLD),)
        assert status(url).older == 1
        assert ("rejects", "total") in tables(url)
        reader.close()
        assert upgrading.run_post(url) == (f"{STEP.number:04d}_pager",)
        assert ("rejects", "total") not in tables(url)
        assert upgrading.run_post(url) == ()


def test_an_older_version_is_refused_after_post_whatever_it_wants(url: PostgresUrl, as_version: Version) -> None:
    upgrade(url, as_version)
    with as_version(NEW):
        upgrading.run_post(url)
        elected = open_database(url)
    said = f"needs a Claxon that knows {len(NEW)}: this one knows {len(OLD)}"
    with as_version(OLD):
        for wanted in (open_database, open_reader, postgres.leader, upgrading.status, upgrading.run_pre):
            with pytest.raises(StorageError, match=said):
                wanted(url)
        with pytest.raises(StorageError, match=said):
            postgres.open_beside(url)
    elected.close()


def test_an_older_version_that_comes_while_post_runs_waits_for_its_end(
    url: PostgresUrl, as_version: Version, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrade(url, as_version)
    monkeypatch.setattr(postgres_schema, "CONNECT_S", 1)
    with psycopg.connect(url.secret) as post:
        post.execute("SELECT pg_advisory_xact_lock(%s, %s)", (postgres_schema._KNOWN, len(OLD)))
        with as_version(OLD), pytest.raises(StorageError, match="its schema is being changed"):
            open_reader(url)
    with as_version(NEW):
        upgrading.run_post(url)
    with as_version(OLD), pytest.raises(StorageError, match="take the newer version"):
        open_reader(url)


def test_a_new_version_needs_the_pre_before_it_writes_beside_another(url: PostgresUrl, as_version: Version) -> None:
    with as_version(OLD):
        elected = open_database(url)
    with as_version(NEW):
        with pytest.raises(StorageError, match=r"of an older Claxon: run `claxon migrate"):
            postgres.open_beside(url)
        upgrading.run_pre(url)
        postgres.open_beside(url).close()
    elected.close()


def test_a_table_in_use_holds_a_migration_up_and_nobody_behind_it(
    server: Postgres, as_version: Version, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = PostgresUrl(server.url(server.create_database()))
    with as_version(OLD):
        open_database(url).close()
    monkeypatch.setattr(postgres_schema, "ATTEMPTS", 1)
    monkeypatch.setattr(postgres_schema, "PATIENCE_S", 1)
    with psycopg.connect(url.secret) as long, as_version(NEW):
        long.execute("SELECT count(*) FROM rejects")
        with pytest.raises(StorageError, match="a table was in use for too long"):
            upgrading.run_pre(url)
        assert status(url).schema == len(OLD)
    with as_version(NEW):
        assert upgrading.run_pre(url)


def test_who_may_not_change_tables_is_told_who_must(server: Postgres, as_version: Version) -> None:
    name = server.create_database()
    url = PostgresUrl(server.url(name))
    with as_version(OLD):
        open_database(url).close()
    server.sql("CREATE ROLE clerk LOGIN", name)
    server.sql("GRANT ALL ON ALL TABLES IN SCHEMA public TO clerk", name)
    clerk = PostgresUrl(url.secret.replace("claxon@", "clerk@"))
    with as_version(NEW), pytest.raises(StorageError, match="run `claxon migrate --pre` as the owner"):
        upgrading.run_pre(clerk)


def node(id_: str, *, schema: int = len(OLD), address: str = "http://a:1") -> Node:
    return Node(id=id_, node=address, roles="all", version="0.1.0", schema=schema)


def test_who_is_there_is_seen_and_who_was_stopped_is_not(url: PostgresUrl) -> None:
    elected = open_database(url, node="http://a:1")
    for one in (node("killed"), node("again"), node("other", address="http://b:1")):
        nodes.beat(elected, one)
    nodes.leave(elected, node("other", address="http://b:1"))
    found = {one.node.id: (one.alive, one.elected) for one in nodes.load(elected)}
    assert found == {"killed": (True, False), "again": (True, True), "other": (False, False)}
    elected.execute("UPDATE nodes SET seen_at = seen_at - ? WHERE id = 'again'", (nodes.ALIVE_S + 1,))
    assert {one.node.id for one in nodes.load(elected) if one.alive} == {"killed"}
    elected.execute("UPDATE nodes SET seen_at = seen_at - ?", (nodes.KEPT_S,))
    nodes.beat(elected, node("new"))
    assert [one.node.id for one in nodes.load(elected)] == ["new"]
    elected.close()


def test_post_runs_by_itself_when_no_older_node_was_seen_for_a_while(url: PostgresUrl, as_version: Version) -> None:
    upgrade(url, as_version)
    with as_version(NEW):
        member = postgres.open_beside(url)
        assert upgrading.run_post_if_due(url) == ()
        member.execute("UPDATE schema_version SET changed_at = changed_at - ?", (upgrading.GRACE_S,))
        nodes.beat(member, node("old"))
        nodes.leave(member, node("old"))
        assert upgrading.run_post_if_due(url) == ()
        member.execute("UPDATE nodes SET seen_at = seen_at - ?", (upgrading.GRACE_S,))
        with as_version(OLD):
            reader = open_reader(url)
        assert upgrading.run_post_if_due(url) == ()
        reader.close()
        assert upgrading.run_post_if_due(url) == (f"{STEP.number:04d}_pager",)
        member.close()


def test_a_folder_needs_nothing(tmp_path: Path) -> None:
    assert upgrading.status(tmp_path) is None
    assert upgrading.run_pre(tmp_path) == upgrading.run_post(tmp_path) == upgrading.run_post_if_due(tmp_path) == ()
    assert list(tmp_path.iterdir()) == []
