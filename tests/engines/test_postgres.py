"""A PostgreSQL of the tests' own: what each of its methods does to somebody who uses it."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import psutil
import pytest

from tests.support.drivers import driver
from tests.support.netfault import Mode, lay_wires
from tests.support.peers import PeerError
from tests.support.postgres import Postgres, start_postgres, url_of
from tests.support.process_tree import is_paused, lives

pytestmark = pytest.mark.peer("postgres")
SOON_S = 0.5
LONG_S = 20


@pytest.fixture
def server() -> Iterator[Postgres]:
    """One that the test may end."""
    with start_postgres() as own:
        yield own


def test_it_listens_on_loopback_alone_and_runs_as_somebody_who_is_not_root(postgres: Postgres) -> None:
    process = psutil.Process(postgres.pid)

    assert process.uids().effective != 0
    listening = [link.laddr for link in process.net_connections() if link.status == psutil.CONN_LISTEN]
    assert listening == [("127.0.0.1", postgres.port)]


def test_each_database_is_a_fresh_copy_of_its_template(postgres: Postgres) -> None:
    template = postgres.create_database()
    postgres.sql("CREATE TABLE alerts (name text); INSERT INTO alerts VALUES ('ErrorRateHigh')", template)
    first, second = (postgres.create_database(template=template) for _ in range(2))

    postgres.sql("DELETE FROM alerts", first)

    assert postgres.sql("SELECT count(*) FROM alerts", first) == "0"
    assert postgres.sql("SELECT count(*) FROM alerts", second) == "1"


def test_a_database_is_dropped_with_whoever_is_in_it(postgres: Postgres) -> None:
    name = postgres.create_database()
    psycopg = driver("psycopg")
    with psycopg.connect(postgres.url(name)) as link:
        postgres.drop_database(name)

        with pytest.raises(psycopg.OperationalError):
            link.execute("SELECT 1")
        link.close()


def test_what_the_server_refuses_is_said(postgres: Postgres) -> None:
    with pytest.raises(PeerError, match='relation "nothing" does not exist'):
        postgres.sql("SELECT * FROM nothing")


@pytest.mark.parametrize("durable", [False, True], ids=["fast", "durable"])
def test_kill_9_loses_no_commit_that_was_acknowledged(durable: bool) -> None:
    psycopg = driver("psycopg")
    with start_postgres(durable=durable) as server:
        port = server.port
        assert server.sql("SHOW fsync") == ("on" if durable else "off")
        server.sql("CREATE TABLE events (n bigint)")
        acknowledged: list[int] = []
        writer = threading.Thread(target=_write_until_it_falls, args=(psycopg, server.url(), acknowledged))
        writer.start()
        _until(lambda: len(acknowledged) > 200)

        server.kill9()
        writer.join(LONG_S)
        server.start()

        assert server.port == port
        kept = int(server.sql("SELECT count(*) FROM events"))
        assert kept - len(acknowledged) in (0, 1)  # the last one may have been committed and not answered


def test_kill_9_leaves_no_child_and_ends_no_other_server(postgres: Postgres, server: Postgres) -> None:
    family = [psutil.Process(server.pid), *psutil.Process(server.pid).children(recursive=True)]
    assert len(family) > 1

    server.kill9()

    assert not server.is_running
    assert [process for process in family if lives(process)] == []
    assert postgres.sql("SELECT 1") == "1"


def test_a_server_that_does_not_run_says_so(server: Postgres) -> None:
    server.stop()

    with pytest.raises(PeerError, match="does not run: call start"):
        _ = server.pid
    with pytest.raises(PeerError, match="Connection refused"):
        server.sql("SELECT 1")


def test_a_restart_ends_connections_and_keeps_the_port_and_the_rows(server: Postgres) -> None:
    psycopg = driver("psycopg")
    server.sql("CREATE TABLE events (n bigint); INSERT INTO events VALUES (7)")
    port = server.port
    with psycopg.connect(server.url(), autocommit=True) as link:
        server.restart()

        with pytest.raises(psycopg.OperationalError):
            link.execute("SELECT 1")
        link.close()
    assert (server.port, server.sql("SELECT n FROM events")) == (port, "7")


def test_a_paused_server_answers_nothing_and_goes_on_where_it_was(server: Postgres) -> None:
    psycopg = driver("psycopg")
    answers: list[object] = []
    with psycopg.connect(server.url(), autocommit=True) as link:
        link.execute("SELECT 1")

        server.pause()

        asking = threading.Thread(target=lambda: answers.append(link.execute("SELECT 42").fetchone()))
        asking.start()
        asking.join(SOON_S)
        assert is_paused(server.pid)
        assert asking.is_alive()
        with contextlib.closing(socket.create_connection(("127.0.0.1", server.port), timeout=LONG_S)):
            pass  # taken by the kernel, as with any server that hangs

        server.cont()

        asking.join(LONG_S)
    assert answers == [(42,)]


def test_a_paused_server_can_be_killed_and_stopped(server: Postgres) -> None:
    server.pause()
    server.kill9()
    server.start()
    server.pause()

    server.stop()

    assert not server.is_running


def test_a_synchronous_standby_has_what_was_acknowledged_when_it_is_promoted(server: Postgres) -> None:
    psycopg = driver("psycopg")
    server.sql("CREATE TABLE events (n bigint)")
    acknowledged: list[int] = []
    with server.standby(synchronous=True) as standby:
        with pytest.raises(PeerError, match="read-only"):
            standby.sql("INSERT INTO events VALUES (-1)")
        writer = threading.Thread(target=_write_until_it_falls, args=(psycopg, server.url(), acknowledged))
        writer.start()
        _until(lambda: len(acknowledged) > 50)

        server.kill9()
        writer.join(LONG_S)
        standby.promote()

        assert int(standby.sql("SELECT count(*) FROM events")) - len(acknowledged) in (0, 1)
        both = url_of(server.port, standby.port)
        with psycopg.connect(both, autocommit=True) as link:
            link.execute("INSERT INTO events VALUES (0)")  # whichever takes writes


def test_a_commit_waits_for_a_synchronous_standby_that_hangs(server: Postgres) -> None:
    server.sql("CREATE TABLE events (n bigint)")
    with server.standby(synchronous=True) as standby:
        standby.pause()
        writing = threading.Thread(target=lambda: server.sql("INSERT INTO events VALUES (1)"))
        writing.start()
        writing.join(SOON_S)
        assert writing.is_alive()

        standby.cont()

        writing.join(LONG_S)
        assert not writing.is_alive()
    assert server.sql("INSERT INTO events VALUES (2) RETURNING n") == "2"  # nobody is waited for any more


def test_a_commit_whose_answer_is_lost_is_there(postgres: Postgres, database: str) -> None:
    psycopg = driver("psycopg")
    postgres.sql("CREATE TABLE events (n bigint)", database)
    with lay_wires() as wires:
        wire = wires.wire(postgres.port)
        with psycopg.connect(url_of(wire.port, database=database), autocommit=True) as link:
            link.execute("SELECT 1")
            wire.mode = Mode.MUTE
            asking = threading.Thread(target=_insert, args=(psycopg, link))
            asking.start()
            _until(lambda: postgres.sql("SELECT count(*) FROM events", database) == "1")
            assert asking.is_alive()

            wire.cut()

            asking.join(LONG_S)
            assert link.broken


def test_nothing_is_left_of_a_server_when_its_block_ends() -> None:
    with start_postgres() as server:
        folder, process = server.folder, psutil.Process(server.pid)
        assert folder.stat().st_uid == process.uids().effective

    assert not folder.exists()
    assert not lives(process)


def _write_until_it_falls(psycopg: ModuleType, url: str, acknowledged: list[int]) -> None:
    with contextlib.suppress(psycopg.Error), psycopg.connect(url, autocommit=True) as link:
        for n in range(1_000_000):
            link.execute("INSERT INTO events VALUES (%s)", (n,))
            acknowledged.append(n)


def _insert(psycopg: ModuleType, link: Any) -> None:
    with contextlib.suppress(psycopg.Error):
        link.execute("INSERT INTO events VALUES (1)")


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONG_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)
