"""A node in a network of its own, cut off from one engine as by a cable."""

from __future__ import annotations

import select
import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.support.namespaces import Door, Network, network_of_its_own
from tests.support.peers import PeerError, require
from tests.support.postgres import Postgres, start_postgres

pytestmark = [pytest.mark.faults, pytest.mark.peer("namespaces"), pytest.mark.peer("postgres")]
SOON_S = 1
LONG_S = 30

# The first three ask after a connection that is silent, the last after an answer that was not acknowledged.
WATCHFUL = {
    "tcp_keepalives_idle": "1",
    "tcp_keepalives_interval": "1",
    "tcp_keepalives_count": "2",
    "tcp_user_timeout": "3000",
}


@pytest.fixture
def network() -> Iterator[Network]:
    with network_of_its_own() as made:
        yield made


@pytest.fixture
def door(network: Network, postgres: Postgres) -> Door:
    return network.door(postgres.port)


def test_a_node_reaches_its_doors_and_nothing_else(network: Network, postgres: Postgres, door: Door) -> None:
    assert _ask(network, door.host, postgres.port).stdout == "1\n"

    refused = _ask(network, "127.0.0.1", postgres.port)

    assert "Connection refused" in refused.stderr


def test_a_shut_door_hides_one_engine_and_no_other(network: Network, postgres: Postgres, door: Door) -> None:
    other = network.door(postgres.port)

    door.shut()

    began = time.monotonic()
    lost = _ask(network, door.host, postgres.port, timeout_s=2)
    assert "timeout expired" in lost.stderr  # nobody refused: the first packet was lost
    assert time.monotonic() - began > SOON_S
    assert _ask(network, other.host, postgres.port).stdout == "1\n"
    assert postgres.sql("SELECT 1") == "1"  # who is not in that network notices nothing

    door.open()

    assert _ask(network, door.host, postgres.port, timeout_s=LONG_S).stdout == "1\n"


def test_a_connection_outlives_a_door_that_is_shut_for_a_while(
    network: Network, postgres: Postgres, door: Door
) -> None:
    with _session(network, door.host, postgres.port) as session:
        assert session.stdin is not None
        assert session.stdout is not None
        session.stdin.write("SELECT 'before';\n")
        session.stdin.flush()
        assert session.stdout.readline() == "before\n"

        door.shut()
        session.stdin.write("SELECT 'meanwhile';\n")
        session.stdin.flush()
        assert select.select([session.stdout], [], [], SOON_S)[0] == []
        door.open()

        assert session.stdout.readline() == "meanwhile\n"
        session.stdin.close()
        session.stdin = None
        assert session.wait(LONG_S) == 0


@pytest.mark.parametrize("watchful", [True, False], ids=["watchful", "by default"])
def test_the_lock_of_a_node_that_is_cut_off_is_free_when_the_server_looks_after_its_connections(
    network: Network, watchful: bool
) -> None:
    """By default a server asks after a silent connection in two hours; until then nobody else is elected."""
    with start_postgres(network=network, settings=WATCHFUL if watchful else {}) as server:
        door = network.door()
        with _session(network, door.host, server.port) as elected:
            assert elected.stdin is not None
            assert elected.stdout is not None
            elected.stdin.write("SELECT pg_advisory_lock(1), 'elected';\n")
            elected.stdin.flush()
            assert elected.stdout.readline() == "|elected\n"

            door.shut()

            free = "SELECT pg_advisory_lock(1), 'taken over'"
            if watchful:
                assert server.sql(f"SET lock_timeout = '{LONG_S}s'; {free}") == "|taken over"
            else:
                with pytest.raises(PeerError, match="lock timeout"):
                    server.sql(f"SET lock_timeout = '5s'; {free}")
            elected.kill()


def _ask(network: Network, host: str, port: int, *, timeout_s: int = LONG_S) -> subprocess.CompletedProcess[str]:
    psql = require("postgres").with_name("psql")
    where = f"host={host} port={port} user=claxon dbname=postgres connect_timeout={timeout_s}"
    command = network.command(psql, "-XAtqc", "SELECT 1", "-d", where)
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=2 * LONG_S)


def _session(network: Network, host: str, port: int) -> subprocess.Popen[str]:
    psql = require("postgres").with_name("psql")
    command = network.command(psql, "-XAtq", "-d", f"host={host} port={port} user=claxon dbname=postgres")
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
