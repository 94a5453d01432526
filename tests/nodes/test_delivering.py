"""Nodes that deliver, as processes beside an elected one that does not: no page is lost, and none is told anew."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from service.nodes.deliver import DRAIN_S
from service.storage import outbox
from service.storage.database import Transaction, open_beside
from service.storage.leases import LEASE_S
from service.storage.places import PostgresUrl
from tests.support.netfault import Mode, lay_wires
from tests.support.nodes import Node
from tests.support.notifications import make_message, make_notification
from tests.support.pager import Pager, Received, Reply
from tests.support.postgres import Postgres, start_postgres, url_of
from tests.support.running import until

pytestmark = pytest.mark.peer("postgres")

SOON_S = 20.0
DAY = 86_400.0
TARGET = "on-call/webhook/0"
CONFIG = """
route: {{receiver: on-call}}
fallback_receiver: backup
receivers:
  - {{name: on-call, webhook_configs: [{{url: '{first}', timeout: 60s}}]}}
  - {{name: backup, webhook_configs: [{{url: '{second}'}}]}}
"""
REJECTED = {"model": "claude-test", "app": "shop", "status": 401, "error_type": "authentication_error"}


class Holding:
    """Says nothing to the first request until it is let go; then, and to all others, 200."""

    def __init__(self) -> None:
        self._first = threading.Semaphore(1)
        self.go_on = threading.Event()

    def __call__(self, _: Received) -> Reply:
        if self._first.acquire(blocking=False):
            self.go_on.wait(60)
        return Reply()


class World:
    """A database, two receivers, an elected node, and nodes that deliver."""

    def __init__(self, folder: Path, postgres: Postgres, stack: ExitStack, *, pager: Pager | None = None) -> None:
        self.folder = folder
        self.postgres = postgres
        self.stack = stack
        self.database = postgres.create_database()
        self.pager = stack.enter_context(pager or Pager())
        self.backup = stack.enter_context(Pager())
        self.config = CONFIG.format(first=self.pager.url, second=self.backup.url)
        self.elected = self.node("evaluate,ingest")
        self.elected.elect()
        self.writer = open_beside(PostgresUrl(postgres.url(self.database)))
        stack.callback(self.writer.close)

    def node(self, role: str, *, port: int | None = None) -> Node:
        """Start a node; by another port, if there is a wire before the server."""
        url = self.postgres.url(self.database) if port is None else url_of(port, database=self.database)
        return self.stack.enter_context(Node(self.folder, url, config=self.config, arguments=["--role", role]))

    def deliver(self, *, port: int | None = None) -> Node:
        """Start a node that delivers, and wait until it can."""
        node = self.node("deliver", port=port)
        assert until(lambda: node.roles == {"deliver": "ready"}, 20), node.log
        return node

    def page(self, *apps: str, over: bool = False) -> None:
        """Have something wait for the first receiver, as the elected node does; in one transaction."""
        with Transaction(self.writer):
            for app in apps:
                told = make_notification([make_message(app, over=over)], at=time.time())
                outbox.add(self.writer, TARGET, told, deadline=told.at + DAY)

    def count(self, what: str) -> int:
        return int(self.writer.execute(f"SELECT count(*) FROM {what}").fetchone()[0])

    def all_over(self, *, within: float = SOON_S) -> bool:
        return until(lambda: self.count("outbox WHERE state = 'pending'") == 0, within)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as found:
        yield found


def keys_of(pager: Pager) -> list[str]:
    return [one.headers["idempotency-key"] for one in pager.received]


def apps_of(pager: Pager) -> list[str]:
    """Return the apps that it was told of, in order; Claxon's own alerts have none."""
    labels = [one.json["commonLabels"] for one in pager.received]
    return [found["app"] for found in labels if "app" in found]


def names_of(pager: Pager) -> list[str]:
    return [one.json["commonLabels"].get("alertname") for one in pager.received]


def value(node: Node, name: str, **labels: str) -> float:
    """Return the value of the one series that a node shows with these labels."""
    samples = [one for family in text_string_to_metric_families(node.get("/metrics")) for one in family.samples]
    (found,) = [one.value for one in samples if one.name == name and labels.items() <= one.labels.items()]
    return float(found)


def is_reached(node: Node) -> bool:
    """Whether it listens."""
    try:
        return node.request("GET", "/-/healthy")[0] > 0
    except OSError:
        return False


def delivers(node: Node) -> bool:
    """Whether it says that it can deliver; one of its other roles may wait still."""
    return "'deliver': 'ready'" in str(node.roles)


def test_of_500_pages_under_load_each_is_sent_once_by_one_of_two_nodes(
    tmp_path: Path, postgres: Postgres, stack: ExitStack
) -> None:
    world = World(tmp_path, postgres, stack)
    nodes = [world.deliver(), world.deliver()]
    apps = [f"app-{n}" for n in range(500)]
    for first in range(0, 500, 25):
        world.page(*apps[first : first + 25])
        assert world.elected.post([{"model": "m", "app": "quiet", "status": 200}] * 50)[0] == 202
    assert world.all_over(within=60)
    assert sorted(apps_of(world.pager)) == sorted(apps)
    assert len(set(keys_of(world.pager))) == 500
    assert world.count("attempts WHERE outcome = 'delivered'") == 500
    assert world.count("ledger WHERE what = 'delivered'") == 500
    assert all("notification.delivered" in node.log for node in nodes)


def test_a_page_that_an_event_causes_goes_out_by_a_node_that_only_delivers_and_all_see_how(
    tmp_path: Path, postgres: Postgres, stack: ExitStack
) -> None:
    world = World(tmp_path, postgres, stack)
    assert world.elected.post([REJECTED])[0] == 202
    assert until(lambda: world.count("outbox") > 0, SOON_S)
    assert world.pager.received == []
    node = world.deliver()
    assert world.all_over()
    (row,) = world.elected.get("/v1/deliveries")["deliveries"]
    assert (row["state"], [one["outcome"] for one in row["tries"]]) == ("delivered", ["delivered"])
    (told,) = world.elected.get("/v1/ledger?what=delivered")["ledger"]
    assert told["rule"] == "ClaudeAuthError/page"
    assert value(node, "claxon_notifications_total", receiver="on-call", outcome="delivered") == 1
    assert until(lambda: value(world.elected, "claxon_delivering_nodes") == 1, SOON_S)


@pytest.mark.faults
def test_the_page_of_a_node_that_is_killed_in_mid_send_goes_out_again_with_its_key_when_the_lease_has_ended(
    tmp_path: Path, postgres: Postgres, stack: ExitStack
) -> None:
    holding = Holding()
    world = World(tmp_path, postgres, stack, pager=Pager(answer=holding))
    first = world.deliver()
    world.page("shop")
    world.pager.wait_for(1)
    world.deliver()
    first.kill()
    killed_at = time.monotonic()
    world.pager.wait_for(2, within=LEASE_S + SOON_S)
    assert time.monotonic() - killed_at < LEASE_S + 3
    assert world.all_over()
    assert len(set(keys_of(world.pager))) == 1
    holding.go_on.set()


@pytest.mark.faults
def test_a_node_that_stood_still_notes_nothing_of_what_another_one_has_sent_by_then(
    tmp_path: Path, postgres: Postgres, stack: ExitStack
) -> None:
    holding = Holding()
    world = World(tmp_path, postgres, stack, pager=Pager(answer=holding))
    first = world.deliver()
    world.page("shop")
    world.pager.wait_for(1)
    world.deliver()
    first.signal(signal.SIGSTOP)
    world.pager.wait_for(2, within=LEASE_S + SOON_S)
    assert world.all_over()
    world.page("shop", over=True)
    assert world.all_over()
    holding.go_on.set()
    first.signal(signal.SIGCONT)
    assert until(lambda: "delivery.not_ours" in first.log, SOON_S), first.log
    assert until(lambda: first.roles == {"deliver": "ready"}, SOON_S)
    assert [one.json["status"] for one in world.pager.received] == ["firing", "firing", "resolved"]
    assert len(set(keys_of(world.pager))) == 2
    assert world.count("attempts") == 2
    assert world.count("outbox WHERE leased_by IS NOT NULL") == 0


def test_what_a_receiver_refuses_goes_to_who_stands_in_once_whichever_node_sends(
    tmp_path: Path, postgres: Postgres, stack: ExitStack
) -> None:
    world = World(tmp_path, postgres, stack, pager=Pager(404))
    for _ in range(2):
        world.deliver()
    apps = [f"app-{n}" for n in range(60)]
    world.page(*apps)
    assert world.all_over(within=30)
    assert sorted(apps_of(world.pager)) == sorted(apps_of(world.backup)) == sorted(apps)
    # What began elsewhere ends there, and nowhere else.
    world.page(*apps, over=True)
    assert world.all_over(within=30)
    assert sorted(apps_of(world.pager)) == sorted(apps)
    assert sorted(apps_of(world.backup)) == sorted(2 * apps)


@pytest.mark.faults
def test_a_node_that_is_cut_off_from_the_database_sends_nothing_new_and_comes_back(
    tmp_path: Path, postgres: Postgres, stack: ExitStack
) -> None:
    holding = Holding()
    world = World(tmp_path, postgres, stack, pager=Pager(answer=holding))
    wire = stack.enter_context(lay_wires()).wire(postgres.port)
    first = world.deliver(port=wire.port)
    world.page("shop")
    world.pager.wait_for(1)
    second = world.deliver()
    wire.mode = Mode.BLACKHOLE
    holding.go_on.set()
    world.pager.wait_for(2, within=LEASE_S + SOON_S)
    assert until(lambda: "database" in str(first.roles), LEASE_S + SOON_S), first.roles
    assert len(set(keys_of(world.pager))) == 1
    wire.mode = Mode.PASS
    assert until(lambda: first.roles == {"deliver": "ready"}, 20), first.log
    assert until(lambda: "delivery.not_ours" in first.log, SOON_S), first.log
    assert world.count("attempts") == 1
    second.end(signal.SIGTERM)
    world.page("cart")
    assert world.all_over()
    assert apps_of(world.pager) == ["shop", "shop", "cart"]


def test_pages_that_wait_go_out_though_the_elected_node_is_dead(
    tmp_path: Path, postgres: Postgres, stack: ExitStack
) -> None:
    world = World(tmp_path, postgres, stack, pager=Pager(503))
    world.deliver()
    world.page("shop", "cart")
    world.pager.wait_for(1)
    world.elected.kill()
    world.pager.answer_with(200)
    assert world.all_over(within=20)
    taken = world.writer.execute("SELECT count(*) FROM attempts WHERE outcome = 'delivered'").fetchone()[0]
    assert taken == 2


def test_a_node_that_is_told_to_end_waits_for_its_answers_and_lets_the_rest_go_at_once(
    tmp_path: Path, postgres: Postgres, stack: ExitStack
) -> None:
    holding = Holding()
    world = World(tmp_path, postgres, stack, pager=Pager(answer=holding))
    first = world.deliver()
    world.page("shop")
    world.pager.wait_for(1)
    second = world.deliver()
    first.signal(signal.SIGTERM)
    assert until(lambda: not is_reached(first), SOON_S)
    world.page("cart")
    world.pager.wait_for(2)
    holding.go_on.set()
    assert first.ended() in (0, -signal.SIGTERM)
    assert world.all_over()
    assert apps_of(world.pager) == ["shop", "cart"]
    assert world.count("attempts WHERE outcome = 'delivered'") == 2
    assert world.count("deliverers") == 1
    assert second.roles == {"deliver": "ready"}


def test_a_node_that_delivers_reads_its_configuration_again_at_a_hang_up(
    tmp_path: Path, postgres: Postgres, stack: ExitStack
) -> None:
    world = World(tmp_path, postgres, stack)
    node = world.deliver()
    moved = stack.enter_context(Pager())
    path = next(path for path in tmp_path.glob("*.yml") if str(node.port) in path.name)
    path.write_text(CONFIG.format(first=moved.url, second=world.backup.url))
    node.signal(signal.SIGHUP)
    assert until(lambda: "delivery.reloaded" in node.log, SOON_S), node.log
    world.page("shop")
    moved.wait_for(1)
    assert world.pager.received == []


def test_the_elected_node_and_one_that_stands_by_both_deliver_if_they_have_the_role(
    tmp_path: Path, postgres: Postgres, stack: ExitStack
) -> None:
    world = World(tmp_path, postgres, stack)
    world.elected.end(signal.SIGTERM)
    elected = world.node("all")
    elected.elect()
    standby = world.node("all")
    assert until(lambda: delivers(standby), SOON_S), standby.log
    assert until(lambda: delivers(elected), SOON_S), elected.log
    apps = [f"app-{n}" for n in range(100)]
    world.page(*apps)
    assert world.all_over(within=30)
    assert sorted(apps_of(world.pager)) == sorted(apps)
    assert "notification.delivered" in elected.log
    assert "notification.delivered" in standby.log


def test_the_elected_node_says_that_a_receiver_fails_by_what_others_tried(
    tmp_path: Path, postgres: Postgres, stack: ExitStack
) -> None:
    world = World(tmp_path, postgres, stack, pager=Pager(401))
    world.deliver()
    world.page("shop")
    assert until(lambda: "ClaxonDeliveryFailing" in names_of(world.backup), 20)
    (row,) = [row for row in world.elected.get("/v1/deliveries")["deliveries"] if row["target"] == TARGET]
    assert (row["state"], row["tries"][0]["outcome"]) == ("failed", "auth_error")


def test_a_fire_drill_goes_by_a_node_that_delivers(tmp_path: Path, postgres: Postgres, stack: ExitStack) -> None:
    world = World(tmp_path, postgres, stack)
    world.deliver()
    asked = json.dumps({"receiver": "on-call"}).encode()
    status, drill, _ = world.elected.request("POST", "/v1/fire-drill", asked, {"Content-Type": "application/json"})
    assert (status, drill["dedup_key"] != "") == (200, True)
    assert [leg["trigger"]["state"] for leg in drill["integrations"]] == ["delivered"]
    assert [one.json["status"] for one in world.pager.received] == ["firing", "resolved"]


@pytest.mark.faults
def test_where_no_node_delivers_people_are_told_past_the_outbox(
    tmp_path: Path, postgres: Postgres, stack: ExitStack
) -> None:
    world = World(tmp_path, postgres, stack)
    told = world.pager.wait_for(1, within=90)
    assert told[0].json["commonLabels"]["alertname"] == "ClaxonBlind"
    assert "no node delivers" in json.dumps(told[0].json)
    world.deliver()
    assert until(lambda: world.pager.received[-1].json["status"] == "resolved", 90)


@pytest.mark.faults
def test_a_server_that_restarts_is_found_again_by_a_node_that_delivers(tmp_path: Path, stack: ExitStack) -> None:
    server = stack.enter_context(start_postgres())
    world = World(tmp_path, server, stack)
    node = world.deliver()
    server.kill9()
    assert until(lambda: not delivers(node), SOON_S)
    server.start()
    assert until(lambda: delivers(node), SOON_S), node.log
    world.writer = stack.enter_context(closing(open_beside(PostgresUrl(server.url(world.database)))))
    world.page("shop")
    world.pager.wait_for(1)
    assert world.all_over()


def test_what_a_node_that_ends_cannot_wait_for_is_sent_again_at_once(
    tmp_path: Path, postgres: Postgres, stack: ExitStack
) -> None:
    holding = Holding()
    world = World(tmp_path, postgres, stack, pager=Pager(answer=holding))
    first = world.deliver()
    world.page("shop")
    world.pager.wait_for(1)
    world.deliver()
    first.signal(signal.SIGTERM)
    begun_at = time.monotonic()
    world.pager.wait_for(2, within=DRAIN_S + SOON_S)
    # Not only when the lease has ended: what is renewed until then is given back.
    assert DRAIN_S - 1 < time.monotonic() - begun_at < DRAIN_S + LEASE_S - 1
    assert world.all_over()
    assert len(set(keys_of(world.pager))) == 1
    holding.go_on.set()
