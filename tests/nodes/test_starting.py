"""How a node starts where something is wrong with the database, or with what was asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.nodes import Node, run_claxon
from tests.support.ports import lasting_port
from tests.support.postgres import Postgres, start_postgres, url_of
from tests.support.running import until

pytestmark = pytest.mark.peer("postgres")

HUSH = "hush-hush"


@pytest.fixture(scope="module")
def guarded() -> Iterator[Postgres]:
    """A server that asks a user `app` for a password."""
    with start_postgres() as server:
        server.sql(f"CREATE ROLE app LOGIN PASSWORD '{HUSH}'")
        access = server.folder / "data" / "pg_hba.conf"
        access.write_text("host all app 127.0.0.1/32 scram-sha-256\n" + access.read_text())
        server.sql("SELECT pg_reload_conf()")
        yield server


def url(server: Postgres, database: str, password: str) -> str:
    return f"postgresql://app:{password}@127.0.0.1:{server.port}/{database}"


def test_a_server_that_is_not_there_yet_is_waited_for(tmp_path: Path, config: str) -> None:
    port = lasting_port()
    with Node(tmp_path, url_of(port), config=config) as node:
        assert str(port) in node.roles
        assert node.request("GET", "/-/elected")[0] == 503
        status, said, _ = node.request("GET", "/v1/alerts")
        assert (status, said["elected"]) == (503, None)
        assert said["detail"].startswith("database: ")
        assert node.post([{"model": "m", "status": 200}])[0] == 503
        with start_postgres() as server:
            # The node knows another port: a wire leads from that one to the server.
            from tests.support.netfault import lay_wires

            with lay_wires() as wires:
                wires.wire(("127.0.0.1", server.port), at=("127.0.0.1", port))
                node.elect()


def test_a_wrong_password_is_said_and_never_written(guarded: Postgres) -> None:
    wrong = url(guarded, "postgres", "not-the-" + HUSH)
    done = run_claxon("serve", "--listen", "127.0.0.1:0", "--data", wrong)
    assert done.returncode == 2
    assert "password authentication failed" in done.stderr
    assert HUSH not in done.stderr + done.stdout


def test_a_database_that_nobody_made_is_said(guarded: Postgres) -> None:
    done = run_claxon("serve", "--listen", "127.0.0.1:0", environment={"CLAXON_DATA": url(guarded, "nowhere", HUSH)})
    assert done.returncode == 2
    assert 'database "nowhere" does not exist' in done.stderr


@pytest.mark.parametrize("password", [f"{HUSH}/x", f"{HUSH}@x", f"{HUSH}%zz"])
def test_a_password_that_breaks_its_url_is_not_quoted(guarded: Postgres, password: str) -> None:
    done = run_claxon("serve", "--listen", "127.0.0.1:0", "--data", url(guarded, "postgres", password))
    assert done.returncode == 2
    assert "%2F" in done.stderr
    assert HUSH not in done.stderr + done.stdout


def test_the_right_password_is_in_no_log_and_on_no_page(tmp_path: Path, guarded: Postgres, config: str) -> None:
    database = guarded.create_database()
    guarded.sql("GRANT ALL ON SCHEMA public TO app", database)
    with Node(tmp_path, url(guarded, database, HUSH), config=config) as node:
        node.elect()
        shown = [str(node.request("GET", path)) for path in ("/", "/v1/status", "/metrics", "/-/ready", "/config")]
        guarded.sql(f"DROP DATABASE {database} WITH (FORCE)")
        assert node.ended() == 75
        assert HUSH not in node.log + "".join(shown)


def test_a_limit_of_size_is_refused_where_nothing_given_back_can_be_counted(postgres: Postgres) -> None:
    database = postgres.url(postgres.create_database())
    done = run_claxon("serve", "--listen", "127.0.0.1:0", "--data", database, "--retention-size", "20GB")
    assert done.returncode == 2
    assert "--retention-size" in done.stderr
    assert "age" in done.stderr


def test_nobody_is_elected_to_be_reached_from_elsewhere_without_keys(tmp_path: Path, postgres: Postgres) -> None:
    database = postgres.create_database()
    done = run_claxon("serve", "--listen", "0.0.0.0:0", "--data", postgres.url(database))
    assert done.returncode == 2
    assert "CLAXON_ADMIN_KEY" in done.stderr


def test_keys_are_made_where_the_elected_node_is(tmp_path: Path, postgres: Postgres, config: str) -> None:
    database = postgres.url(postgres.create_database())
    admin = {"CLAXON_ADMIN_KEY": "an-admin-key-of-the-tests"}
    alone = run_claxon("keys", "create", "before", "--scope", "admin", "--data", database)
    assert alone.returncode == 0, alone.stderr
    with Node(tmp_path, database, config=config, environment=admin) as node:
        node.elect()
        beside = run_claxon("keys", "create", "beside", "--data", database, environment=admin)
        assert beside.returncode == 0, beside.stderr
        listed = run_claxon("keys", "list", environment=admin | {"CLAXON_DATA": database}).stdout
        assert "before" in listed
        assert "beside" in listed
        assert node.post([{"model": "m", "status": 200}], Authorization=f"Bearer {beside.stdout.strip()}")[0] == 202


@pytest.mark.parametrize(
    "command", [["backup", "x.sqlite3"], ["restore", "x.sqlite3"], ["salvage", "x.sqlite3"]], ids=lambda words: words[0]
)
def test_what_is_of_files_alone_says_what_to_use_instead(command: list[str]) -> None:
    done = run_claxon(*command, "--data", f"postgresql://me:{HUSH}@db/claxon")
    assert done.returncode == 2
    assert "pg_dump" in done.stderr
    assert HUSH not in done.stderr


def test_a_role_needs_a_database_that_nodes_can_share(tmp_path: Path) -> None:
    done = run_claxon("serve", "--data", str(tmp_path), "--role", "ingest")
    assert done.returncode == 2
    assert "PostgreSQL" in done.stderr


@pytest.mark.parametrize(
    "address", ["claxon-a:5290", "ftp://a", "https://", "https://me:hush@a", "http://a:x", "http://a/?x=1"]
)
def test_an_address_that_nobody_can_open_is_refused(address: str) -> None:
    done = run_claxon("serve", "--data", "postgresql://127.0.0.1:1/claxon", "--advertise", address)
    assert done.returncode == 2
    assert "--advertise" in done.stderr


def test_the_log_is_exported_from_beside_the_nodes(tmp_path: Path, postgres: Postgres, config: str) -> None:
    database = postgres.url(postgres.create_database())
    with Node(tmp_path, database, config=config) as node:
        node.elect()
        assert node.post([{"model": "m", "app": "shop", "status": 200}] * 7)[0] == 202
        file = tmp_path / "out.ndjson"
        assert run_claxon("export", str(file), "--data", database).returncode == 0
        assert until(lambda: len(file.read_text().splitlines()) == 7, 1)
