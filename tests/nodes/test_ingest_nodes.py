"""Ingest nodes and an elected one, as processes on a real PostgreSQL: what any node took counts once, whoever dies."""

from __future__ import annotations

import contextlib
import json
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import pytest

from service.storage import inbox
from service.storage.database import open_beside
from service.storage.places import PostgresUrl
from tests.otlp.sending import sdk_attributes, send, span, traces
from tests.support.killing import By, Log, Senders, counted, is_proved
from tests.support.nodes import Node
from tests.support.pager import Pager
from tests.support.postgres import Postgres, start_postgres
from tests.support.running import until

pytestmark = pytest.mark.peer("postgres")

REJECTED = {"model": "claude-test", "app": "shop", "status": 401, "error_type": "authentication_error"}
GOOD = {"model": "claude-test", "app": "shop", "status": 200}
ELECTABLE = ["--role", "evaluate,deliver"]
INGEST = ["--role", "ingest"]
ADMIN = "an-admin-key-that-is-long-enough"


class World:
    """An elected node, two that take events, and their database."""

    def __init__(self, folder: Path, server: Postgres, *, config: str = "") -> None:
        self.server = server
        self.folder = folder
        self.config = config
        self.database = server.create_database()
        self.url = server.url(self.database)
        self.place = PostgresUrl(self.url)
        self.elected = self.node(ELECTABLE)
        self.doors = [self.node(INGEST), self.node(INGEST)]
        self._nodes = contextlib.ExitStack()

    def node(self, arguments: list[str], **environment: str) -> Node:
        return Node(self.folder, self.url, config=self.config, arguments=arguments, environment=environment)

    def run(self, node: Node) -> Node:
        return self._nodes.enter_context(node)

    def __enter__(self) -> Self:
        self.run(self.elected).elect()
        for door in self.doors:
            self.run(door)
            assert until(lambda door=door: is_ready(door), 20), door.log
        return self

    def __exit__(self, *_: object) -> None:
        self._nodes.close()
        self.server.drop_database(self.database)

    def is_drained(self) -> bool:
        return self.server.sql("SELECT count(*) FROM inbox", self.database) == "0"

    def logged(self) -> float:
        return self.elected.metric("claxon_ingest_events_total")


def is_ready(node: Node) -> bool:
    """Whether each of its roles can work, or stands by."""
    return bool(isinstance(node.roles, dict))


@pytest.fixture
def world(tmp_path: Path, postgres: Postgres, config: str) -> Iterator[World]:
    with World(tmp_path, postgres, config=config) as found:
        yield found


@pytest.fixture
def server() -> Iterator[Postgres]:
    """One that the test may end."""
    with start_postgres() as own:
        yield own


# ── each counts once ─────────────────────────────────────────────────────────


def test_what_comes_by_either_node_pages_once(world: World, pager: Pager) -> None:
    for door in world.doors:
        assert door.post([REJECTED])[:2] == (202, {"accepted": 1, "rejected": []})

    assert pager.wait_for(1, within=10)
    assert until(lambda: world.logged() == 2, 10)
    assert [page.json["status"] for page in pager.received].count("firing") == 1
    assert [alert["labels"]["app"] for alert in pager.received[0].json["alerts"]] == ["shop"]
    assert {door.roles["ingest"] for door in world.doors} == {"ready"}


def test_the_same_id_or_the_same_key_by_two_nodes_counts_once(world: World) -> None:
    first, second = world.doors
    for door in (first, second, world.elected):
        assert door.post([{**GOOD, "event_id": "one"}, {**GOOD, "event_id": "two"}])[1]["accepted"] == 2
        assert door.post([GOOD] * 3, Idempotency_Key="again")[1]["accepted"] == 3

    assert until(world.is_drained, 10)
    assert world.logged() == 5
    assert world.elected.metric("claxon_ingest_duplicates_total") == 4


def test_a_call_that_an_event_and_a_span_tell_of_by_two_nodes_counts_once(world: World) -> None:
    first, second = world.doors
    attributes = sdk_attributes()
    assert send(first, traces(span(sdk_attributes())))[0] == 200
    assert until(lambda: world.logged() == 1, 10)

    assert first.post([{**GOOD, "request_id": attributes["anthropic.request.id"]}])[0] == 202
    assert until(lambda: world.logged() == 2, 10)
    assert send(second, traces(span(attributes)))[0] == 200

    assert until(world.is_drained, 10)
    assert (world.logged(), world.elected.metric("claxon_ingest_duplicates_total")) == (2, 1)


def test_lines_of_loki_come_in_by_a_node_too(world: World) -> None:
    line = json.dumps({"event": "claude.attempt", "model": "m", "app": "shop", "status": 200})
    body = {"streams": [{"stream": {"a": "b"}, "values": [[str(time.time_ns()), line]]}]}
    answer = world.doors[0].request(
        "POST", "/loki/api/v1/push", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )

    assert answer[0] == 204
    assert until(lambda: world.logged() == 1, 10)


def test_what_a_node_refused_is_shown_by_the_elected_one(world: World) -> None:
    status, said, _ = world.doors[0].post([GOOD, {"app": "shop"}])
    assert (status, said["accepted"], said["rejected"][0]["index"]) == (202, 1, 1)
    assert world.doors[1].post(b"?")[0] == 400

    def shown() -> set[str]:
        return {reject["reason"] for reject in world.elected.get("/v1/rejects")["rejects"]}

    assert until(lambda: shown() == {"no_model", "not_json"}, 10)
    assert world.doors[0].metric("claxon_ingest_rejected_events_total") == 1


# ── whoever dies ─────────────────────────────────────────────────────────────


def hurt_under_load(
    world: World,
    hurt: Callable[[], object],
    mend: Callable[[], object] = lambda: None,
    *,
    times: int,
    longest_s: float = 0.6,
) -> Senders:
    """Have senders post to both nodes, and do something to the world meanwhile.

    Args:
        world: Whose nodes.
        hurt: What is done.
        mend: What is done a moment later, while they hold still.
        times: How often.
        longest_s: It is done at most so long after they began; when, is chance.
    """
    chance = random.Random(3)
    with Senders(*(door.port for door in world.doors), each=2) as senders:
        for _ in range(times):
            senders.begin()
            time.sleep(chance.uniform(0.05, longest_s))
            hurt()
            time.sleep(0.2)
            senders.hold()
            mend()
        # Each posts now what was not acknowledged.
        senders.begin()
        time.sleep(0.2)
        senders.hold()
    return senders


def check(world: World, senders: Senders) -> None:
    """See that each event that was acknowledged is in the log, and counts, once; and that it was decided as it says."""
    assert until(world.is_drained, 120), world.elected.log
    log = Log(world.place)
    log.read()
    for by, book in senders.books.items():
        assert book.events > 0
        found = log.compare(by, book)
        assert found.lost == 0, by
        assert by is By.NOTHING or found.twice == 0, by
    assert until(lambda: counted(world.elected.get("/metrics")) == log.by_app, 10)
    assert is_proved(world.place)


@pytest.mark.faults
def test_a_node_that_is_killed_under_load_loses_nothing_and_counts_nothing_twice(world: World) -> None:
    senders = hurt_under_load(world, world.doors[0].kill, world.doors[0].start, times=5)

    check(world, senders)


def test_an_elected_node_that_is_killed_under_load_loses_nothing_and_counts_nothing_twice(world: World) -> None:
    other = world.run(world.node(ELECTABLE))

    def take_over() -> None:
        nonlocal other
        world.elected, other = other, world.elected
        world.elected.elect(within=60)
        other.launch()

    senders = hurt_under_load(world, lambda: world.elected.kill(), take_over, times=4)

    check(world, senders)
    assert world.elected.metric("claxon_ledger_mismatches_total") == 0


def test_while_nobody_is_elected_events_are_taken_and_evaluated_later(
    world: World, pager: Pager, postgres: Postgres
) -> None:
    world.elected.kill()
    before = time.time()
    assert world.doors[0].post([GOOD] * 5)[0] == 202
    assert world.doors[1].post([REJECTED])[0] == 202
    after = time.time()
    assert until(lambda: world.doors[0].metric("claxon_inbox_batches") == 2, 10)
    assert world.doors[0].metric("claxon_inbox_age_seconds") > 0

    world.elected.start()
    world.elected.elect()

    assert pager.wait_for(1, within=15)
    assert until(lambda: world.logged() == 6, 10)
    times = postgres.sql("SELECT received_at FROM event_log WHERE n > 0", world.database).split()
    assert all(before <= float(at) <= after for at in times)


@pytest.mark.faults
def test_a_server_that_is_killed_under_load_loses_nothing_and_counts_nothing_twice(
    tmp_path: Path, server: Postgres, config: str
) -> None:
    with World(tmp_path, server, config=config) as world:

        def mend() -> None:
            server.start()
            # Who was elected leaves, for it does not know what became of its last transaction.
            assert world.elected.ended() == 75
            world.elected.start()
            world.elected.elect(within=60)
            assert until(lambda: all(map(is_ready, world.doors)), 30)

        senders = hurt_under_load(world, server.kill9, mend, times=3)

        check(world, senders)
        assert all(door.metric("claxon_inbox_faults_total") > 0 for door in world.doors)


def test_at_its_end_a_node_answers_who_waits(world: World) -> None:
    with Senders(world.doors[0].port, each=2) as senders:
        senders.begin()
        time.sleep(0.5)
        assert world.doors[0].end(signal.SIGTERM) in (0, -signal.SIGTERM)
        world.doors[0].start()
        time.sleep(0.3)
        senders.hold()

    check(world, senders)


# ── keys ─────────────────────────────────────────────────────────────────────


def test_a_key_counts_on_each_node_within_seconds_and_so_does_its_end(tmp_path: Path, postgres: Postgres) -> None:
    world = World(tmp_path, postgres)
    world.elected = world.node(ELECTABLE, CLAXON_ADMIN_KEY=ADMIN)
    world.doors = [world.node(INGEST, CLAXON_ADMIN_KEY=ADMIN)]
    admin = {"Authorization": f"Bearer {ADMIN}"}
    with world:
        (door,) = world.doors
        asked = json.dumps({"name": "chat", "scope": "ingest", "app": "chat", "only_app": True}).encode()
        status, made, _ = world.elected.request(
            "POST", "/v1/keys", asked, {**admin, "Content-Type": "application/json"}
        )
        assert status == 201, made
        key = {"Authorization": f"Bearer {made['key']}"}

        def answer(event: dict[str, Any]) -> int:
            return door.post([event], **key)[0]

        assert until(lambda: answer({"model": "m", "status": 200}) == 202, 5)
        assert answer({**GOOD, "app": "other"}) == 403
        assert door.post([GOOD])[0] == 401
        assert door.request("GET", "/metrics", None, key)[0] == 403

        assert world.elected.request("DELETE", "/v1/keys/chat", None, admin)[0] in (200, 204)

        assert until(lambda: answer({"model": "m", "status": 200}) == 401, 5)
        said = door.request("GET", "/metrics", None, admin)[1]
        (age,) = [float(line.split()[1]) for line in said.splitlines() if line.startswith("claxon_keys_age_seconds ")]
        assert age < 5


def test_nobody_is_let_in_before_it_is_known_who_may(tmp_path: Path, server: Postgres) -> None:
    url = server.url(server.create_database())
    server.stop()
    with Node(tmp_path, url, arguments=INGEST) as door:
        status, said, headers = door.post([GOOD])
        assert (status, said["detail"].partition(":")[0], headers["Retry-After"]) == (503, "keys", "1")
        assert door.request("GET", "/metrics")[0] == 503
        assert door.request("GET", "/-/healthy")[0] == 200
        assert door.request("GET", "/-/ready")[0] == 503
        server.start()
        with Node(tmp_path, url, arguments=ELECTABLE) as elected:
            elected.elect()

            assert until(lambda: door.post([GOOD])[0] == 202, 20)
            assert until(lambda: elected.metric("claxon_ingest_events_total") == 1, 10)


# ── what cannot be taken ─────────────────────────────────────────────────────


def test_what_nobody_can_read_is_moved_aside_and_shown(world: World) -> None:
    connection = open_beside(world.place)
    bad = inbox.InboxRow(
        received_at=time.time(),
        app="shop",
        key=None,
        n=1,
        claims="",
        refusals="",
        spans=False,
        client_dropped=0,
        node="there:1",
        body=b"?",
    )
    connection.begin()
    inbox.put(connection, [bad, bad._replace(form=99)])
    connection.commit()
    connection.close()

    assert world.doors[0].post([GOOD])[0] == 202

    assert until(lambda: world.logged() == 1, 10)
    assert until(lambda: world.elected.metric("claxon_inbox_poison_batches") == 2, 10)
    assert until(lambda: len(world.elected.get("/v1/rejects")["rejects"]) == 2, 10)
    rejects = world.elected.get("/v1/rejects")["rejects"]
    assert Counter((reject["reason"], reject["address"]) for reject in rejects) == {("unreadable", "there:1"): 2}
    assert world.elected.request("GET", "/-/ready")[0] == 200


def test_an_inbox_that_is_full_is_told_until_there_is_room(tmp_path: Path, postgres: Postgres, config: str) -> None:
    world = World(tmp_path, postgres, config=config)
    world.doors = [world.node(INGEST, CLAXON_INBOX_SIZE="20KB")]
    with world:
        (door,) = world.doors
        world.elected.kill()
        text = random.Random(1).randbytes(8_000).hex()
        fat = [{**GOOD, "attributes": {"text": text[i : i + 400]}} for i in range(0, len(text), 400)]

        assert until(lambda: door.post(fat)[0] == 503, 20)

        status, said, headers = door.post([GOOD])
        assert (status, headers["Retry-After"]) == (503, "5")
        assert "inbox" in said["detail"]
        assert "inbox" in door.roles
        assert send(door, traces(span(sdk_attributes())))[0] == 503
        world.elected.start()
        world.elected.elect()
        assert until(lambda: door.post([GOOD])[0] == 202, 20)
