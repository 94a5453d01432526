"""Two nodes on one PostgreSQL, as processes: what the elected one does, and what happens when it is gone."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from service.storage.database import open_database
from service.storage.places import PostgresUrl
from tests.support.nodes import Node, run_claxon
from tests.support.pager import Pager
from tests.support.postgres import Postgres, start_postgres
from tests.support.running import until

pytestmark = pytest.mark.peer("postgres")

REJECTED = {"model": "claude-test", "app": "shop", "status": 401, "error_type": "authentication_error"}
ROLES = ("ingest", "evaluate", "deliver")
STANDING_BY = {"ingest": "ready", "evaluate": "standby", "deliver": "ready"}


@pytest.fixture
def server() -> Iterator[Postgres]:
    """One that the test may end."""
    with start_postgres() as own:
        yield own


def told(pager: Pager, status: str) -> list[dict[str, Any]]:
    return [one.json for one in pager.received if one.json["status"] == status]


def noted(server: Postgres, database: str) -> int:
    """How many messages were taken, as far as the database knows."""
    return int(server.sql("SELECT count(*) FROM outbox WHERE state = 'delivered'", database))


def test_an_event_at_the_elected_node_pages_and_its_end_is_told(
    tmp_path: Path, postgres: Postgres, pager: Pager, config: str
) -> None:
    with Node(tmp_path, postgres.url(postgres.create_database()), config=config) as node:
        node.elect()
        assert node.post([REJECTED])[0] == 202
        assert until(lambda: told(pager, "firing"), 5)
        assert node.post([REJECTED | {"status": 200, "error_type": None}])[0] == 202
        assert until(lambda: told(pager, "resolved"), 10)
        assert [alert["labels"]["app"] for alert in told(pager, "resolved")[0]["alerts"]] == ["shop"]
        assert node.roles == dict.fromkeys(ROLES, "ready")
        assert node.end(signal.SIGTERM) in (0, -signal.SIGTERM)


def test_a_node_that_is_not_elected_says_who_is(tmp_path: Path, postgres: Postgres, config: str) -> None:
    database = postgres.url(postgres.create_database())
    advertised = "https://one.example:5290"
    with Node(tmp_path, database, config=config, arguments=["--advertise", advertised + "/"]) as first:
        first.elect()
        with Node(tmp_path, database, config=config) as second:
            assert until(lambda: second.roles == STANDING_BY, 10)
            assert second.request("GET", "/-/elected")[0] == 503
            for method, path in (("GET", "/v1/alerts"), ("GET", "/"), ("DELETE", "/nowhere")):
                status, said, headers = second.request(method, path)
                assert (status, said["elected"]) == (503, advertised), path
                assert advertised in said["detail"]
                assert int(headers["Retry-After"]) > 0
                assert headers["Content-Type"] == "application/problem+json"


def test_who_stands_by_takes_over_what_a_killed_node_knew_and_tells_nobody_twice(
    tmp_path: Path, postgres: Postgres, pager: Pager, config: str
) -> None:
    name = postgres.create_database()
    database = postgres.url(name)
    config = config.replace("rules.yml", "slow.yml")
    (tmp_path / "slow.yml").write_text((tmp_path / "rules.yml").read_text().replace("1s", "10m"))
    first, second = (Node(tmp_path, database, config=config) for _ in range(2))
    with first, second:
        first.elect()
        assert first.post([REJECTED])[0] == 202
        assert until(lambda: noted(postgres, name) == 1, 10)
        fingerprint = pager.received[0].json["alerts"][0]["fingerprint"]
        assert first.request("POST", f"/v1/alerts/{fingerprint}/ack?by=ada")[0] == 200
        first.kill()

        second.elect(within=10)

        alert = second.get("/v1/alerts")["alerts"][0]["alert"]
        assert (alert["fingerprint"], alert["episode"], alert["acked_by"]) == (fingerprint, 1, "ada")
        assert second.post([REJECTED | {"app": "cart"}])[0] == 202
        assert until(lambda: noted(postgres, name) == 2, 10)
        assert [page["groupLabels"]["app"] for page in told(pager, "firing")] == ["shop", "cart"]
        proof = run_claxon("verify", "--data", database, "--json")
        assert (proof.returncode, json.loads(proof.stdout)["same"], json.loads(proof.stdout)["events"]) == (0, True, 2)


def test_who_stands_by_takes_over_at_once_from_a_node_that_is_told_to_end(
    tmp_path: Path, postgres: Postgres, config: str
) -> None:
    database = postgres.url(postgres.create_database())
    first, second = (Node(tmp_path, database, config=config) for _ in range(2))
    with first, second:
        first.elect()
        first.end(signal.SIGTERM)
        assert second.elect() < 5


@pytest.mark.parametrize("broken", [False, True], ids=["a good one", "one that is broken"])
def test_a_node_takes_over_with_the_configuration_as_it_is_by_then(
    tmp_path: Path, postgres: Postgres, pager: Pager, config: str, broken: bool
) -> None:
    database = postgres.url(postgres.create_database())
    first, second = (Node(tmp_path, database, config=config) for _ in range(2))
    with first, second:
        first.elect()
        second.config.write_text("route: nothing" if broken else config.replace("/hook", "/changed"))
        first.kill()
        second.elect()
        assert second.post([REJECTED])[0] == 202
        assert until(lambda: told(pager, "firing"), 5)
        assert pager.received[0].path == ("/hook" if broken else "/changed")
        assert ("config.refused" in second.log) is broken
        second.config.write_text(config.replace("/hook", "/reloaded"))
        second.signal(signal.SIGHUP)
        assert until(lambda: "config.reloaded" in second.log, 5)
        assert second.post([REJECTED | {"app": "cart"}])[0] == 202
        assert until(lambda: len(told(pager, "firing")) == 2, 5)
        assert pager.received[1].path == "/reloaded"


@pytest.mark.faults
def test_a_node_that_stood_still_ends_and_sends_nothing_of_what_another_one_sends(
    tmp_path: Path, postgres: Postgres, pager: Pager, config: str
) -> None:
    name = postgres.create_database()
    first, second = (Node(tmp_path, postgres.url(name), config=config) for _ in range(2))
    with first, second:
        first.elect()
        first.signal(signal.SIGSTOP)
        # The server ends the session of one that is silent for ten seconds.
        second.elect(within=30)
        assert second.post([REJECTED])[0] == 202
        assert until(lambda: noted(postgres, name) >= 1, 10)
        written = postgres.sql('SELECT max("offset") FROM event_log', name)

        first.signal(signal.SIGCONT)

        assert first.ended() == 75
        assert "database.lost" in first.log
        assert postgres.sql('SELECT max("offset") FROM event_log', name) == written
        assert len({page["groupKey"] for page in told(pager, "firing")}) == len(told(pager, "firing")) == 1
        assert second.is_elected


@pytest.mark.faults
@pytest.mark.parametrize("elected", [True, False], ids=["the elected node", "one that stands by"])
def test_a_node_that_is_told_to_end_does_so_though_its_server_says_nothing(
    tmp_path: Path, server: Postgres, config: str, elected: bool
) -> None:
    database = server.url(server.create_database())
    first, second = (Node(tmp_path, database, config=config) for _ in range(2))
    with first, second:
        first.elect()
        assert until(lambda: second.roles == STANDING_BY, 10)
        server.pause()
        try:
            node = first if elected else second
            node.signal(signal.SIGTERM)
            node.ended(within=30)
        finally:
            server.cont()


@pytest.mark.faults
def test_a_server_that_says_nothing_ends_the_elected_node_though_nobody_writes(
    tmp_path: Path, server: Postgres, config: str
) -> None:
    with Node(tmp_path, server.url(server.create_database()), config=config) as node:
        node.elect()
        server.pause()
        try:
            assert node.ended(within=20) == 75
        finally:
            server.cont()
        assert "silent" in node.log


@pytest.mark.faults
def test_a_node_that_loses_its_server_while_it_begins_ends(tmp_path: Path, server: Postgres, config: str) -> None:
    database = server.url(server.create_database())
    open_database(PostgresUrl(database)).close()
    with psycopg.connect(database) as other, Node(tmp_path, database, config=config) as node:
        other.execute("LOCK TABLE snapshots")
        assert until(lambda: "just elected" in node.request("GET", "/")[1]["detail"], 10)
        assert "evaluate: it was elected" in node.roles
        server.pause()
        try:
            assert node.ended(within=20) == 75
        finally:
            server.cont()


def test_a_server_that_restarts_ends_the_elected_node_and_the_one_after_it_knows_all(
    tmp_path: Path, server: Postgres, config: str
) -> None:
    name = server.create_database()
    first, second = (Node(tmp_path, server.url(name), config=config) for _ in range(2))
    with first, second:
        first.elect()
        assert first.post([REJECTED] * 3)[0] == 202

        server.kill9()
        assert first.ended() == 75
        assert until(lambda: "evaluate:" in str(second.roles), 15)
        assert second.request("GET", "/-/healthy")[0] == 200
        server.start()

        second.elect()
        assert second.post([REJECTED])[0] == 202
        first.start()
        assert until(lambda: first.roles == STANDING_BY, 10)
        assert int(server.sql("SELECT sum(n) FROM event_log", name)) == 4
        assert run_claxon("verify", "--data", server.url(name)).returncode == 0
