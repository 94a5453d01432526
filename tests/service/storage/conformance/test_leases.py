"""What each engine must do of what waits in the outbox; and, where nodes share it, who has a row."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from service.storage import deliverers, outbox
from service.storage.connecting import Connection
from service.storage.database import Transaction, open_beside, open_database
from service.storage.deciding import Deciding, decide, may_decide
from service.storage.deliverers import Delivering, delivering
from service.storage.leases import LEASE_S, Leases, SharedLeases, Which, leases_of
from service.storage.outbox import Head
from service.storage.places import Place, PostgresUrl
from tests.support.notifications import NOON, make_message, make_notification
from tests.support.postgres import Postgres, start_postgres

TARGET = "on-call/webhook/0"
OTHER = "backup/webhook/0"
DAY = 86_400.0
LATER = NOON + 60


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with start_postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "sqlite":
        return tmp_path
    server: Postgres = request.getfixturevalue("server")
    return PostgresUrl(server.url(server.create_database()))


@pytest.fixture
def writer(place: Place) -> Iterator[Connection]:
    connection = open_database(place)
    yield connection
    connection.close()


class Nodes:
    """The elected node's connection, and those of nodes that deliver."""

    def __init__(self, url: PostgresUrl) -> None:
        self.url = url
        self.elected = open_database(url)
        self._open = [self.elected]

    def connect(self) -> Connection:
        connection = open_beside(self.url)
        self._open.append(connection)
        return connection

    def node(self, name: str) -> Node:
        return Node(self.connect(), name)

    def end_leases(self) -> None:
        """Have every lease have ended, as if time had passed."""
        self.elected.execute("UPDATE outbox SET leased_until = leased_until - ?", (2 * LEASE_S,))

    def close(self) -> None:
        for connection in reversed(self._open):
            connection.close()


class Node:
    """A connection, and what its node has."""

    def __init__(self, connection: Connection, name: str) -> None:
        self.connection = connection
        self.leases = SharedLeases(name)

    def claim(self, target: str = TARGET, *, limit: int = 100) -> list[str]:
        """Take what is due, and return the keys."""
        with Deciding(self.connection, at_once=True):
            found = self.leases.heads(self.connection, target, limit=limit, busy=(), now=0.0)
            self.leases.take(self.connection, [head.id for head in found], steady=0.0)
        return [head.dedup_key for head in found]

    def settle(self, row: int) -> bool:
        with Transaction(self.connection):
            return self.leases.settle(self.connection, row)


@pytest.fixture
def nodes(server: Postgres) -> Iterator[Nodes]:
    found = Nodes(PostgresUrl(server.url(server.create_database())))
    yield found
    found.close()


def add(connection: Connection, *keys: str, target: str = TARGET, at: float = NOON, over: bool = False) -> None:
    with Transaction(connection):
        for key in keys:
            told = make_notification([make_message(over=over)], dedup_key=key, at=at)
            outbox.add(connection, target, told, deadline=at + DAY)


def look(
    connection: Connection, leases: Leases, *, now: float = LATER, busy: tuple[str, ...] = (), which: Which = Which.DUE
) -> list[Head]:
    with Deciding(connection, at_once=leases.by_server):
        return leases.heads(connection, TARGET, limit=10, busy=busy, now=now, which=which)


# ── of any engine ─────────────────────────────────────────────────────────────


def test_the_first_waiting_row_of_each_key_is_found_in_order(writer: Connection) -> None:
    add(writer, "a", "b", "a", "c")
    found = look(writer, leases_of(writer, "me"))
    assert [(head.dedup_key, head.id) for head in found] == [("a", 1), ("b", 2), ("c", 4)]


def test_what_waits_behind_the_first_row_goes_with_it(writer: Connection) -> None:
    add(writer, "a")
    add(writer, "a", over=True)
    (head,) = look(writer, leases_of(writer, "me"))
    assert outbox.load(writer, TARGET, head, pairs=False).rows == [1, 2]
    assert outbox.load(writer, TARGET, head, pairs=True).rows == [1]


def test_a_busy_key_is_left_out(writer: Connection) -> None:
    add(writer, "a", "b")
    assert [head.dedup_key for head in look(writer, leases_of(writer, "me"), busy=("a",))] == ["b"]


def test_another_integrations_rows_are_not_looked_at(writer: Connection) -> None:
    add(writer, "a", target=OTHER)
    assert look(writer, leases_of(writer, "me")) == []


def test_what_is_past_its_deadline_is_found_by_it(writer: Connection) -> None:
    add(writer, "old", at=NOON - 2 * DAY)
    add(writer, "new", at=NOON + 200 * 366 * DAY)
    found = look(writer, leases_of(writer, "me"), now=NOON, which=Which.OVERDUE)
    assert [head.dedup_key for head in found] == ["old"]


def test_what_is_settled_is_behind_nothing(writer: Connection) -> None:
    add(writer, "a", "a")
    leases = leases_of(writer, "me")
    with Deciding(writer, at_once=leases.by_server) as deciding:
        deciding.write()
        (head,) = leases.heads(writer, TARGET, limit=1, busy=(), now=LATER)
        leases.take(writer, [head.id], steady=0.0)
    with Transaction(writer):
        assert leases.settle(writer, head.id)
        outbox.end(writer, [head.id], state="delivered", now=LATER, answer="ok")
    leases.forget([head.id])
    assert [head.id for head in look(writer, leases)] == [2]


# ── of nodes that share an outbox ─────────────────────────────────────────────


def test_a_key_that_one_node_has_is_no_others_also_what_comes_behind_it(nodes: Nodes) -> None:
    one, two = nodes.node("one"), nodes.node("two")
    add(nodes.elected, "a", "b")
    assert one.claim(limit=1) == ["a"]
    add(nodes.elected, "a")
    assert two.claim() == ["b"]
    assert one.claim() == two.claim() == []


def test_each_of_many_rows_is_claimed_by_one_of_many_nodes(nodes: Nodes) -> None:
    add(nodes.elected, *(f"k{n}" for n in range(400)))
    workers = [nodes.node(f"n{n}") for n in range(6)]
    begin = threading.Barrier(len(workers))

    def all_of(node: Node) -> list[str]:
        begin.wait()
        mine: list[str] = []
        while claimed := node.claim(limit=3):
            mine += claimed
        return mine

    with ThreadPoolExecutor(len(workers)) as pool:
        claimed = [key for mine in pool.map(all_of, workers) for key in mine]
    # What another one looked at just then was left to it; the next look finds it.
    claimed += workers[0].claim(limit=400)
    assert sorted(claimed) == sorted(f"k{n}" for n in range(400))


def test_what_another_node_looks_at_is_not_waited_for(nodes: Nodes) -> None:
    one, two = nodes.node("one"), nodes.node("two")
    add(nodes.elected, "a", "b")
    with Deciding(one.connection, at_once=True):
        assert len(one.leases.heads(one.connection, TARGET, limit=1, busy=(), now=0.0)) == 1
        assert two.claim() == ["b"]


def test_a_lease_that_has_ended_is_anybodys_and_its_node_may_note_nothing(nodes: Nodes) -> None:
    one, two = nodes.node("one"), nodes.node("two")
    add(nodes.elected, "a")
    assert one.claim() == ["a"]
    assert two.claim() == []
    nodes.end_leases()
    assert two.claim() == ["a"]
    assert not one.settle(1)
    assert one.leases.lost == 1
    assert two.settle(1)


def test_a_lease_that_has_ended_is_its_nodes_still_while_nobody_else_took_it(nodes: Nodes) -> None:
    one, two = nodes.node("one"), nodes.node("two")
    add(nodes.elected, "a")
    one.claim()
    nodes.end_leases()
    assert one.leases.renew(one.connection, steady=5.0) == []
    assert one.leases.holds(1, steady=5.0 + LEASE_S - 0.1)
    assert two.claim() == []
    assert one.settle(1)


def test_a_node_learns_by_renewing_what_is_anothers(nodes: Nodes) -> None:
    one, two = nodes.node("one"), nodes.node("two")
    add(nodes.elected, "a", "b")
    one.claim()
    nodes.end_leases()
    assert two.claim(limit=1) == ["a"]
    assert one.leases.renew(one.connection, steady=0.0) == [1]
    assert not one.leases.holds(1, steady=0.0)
    assert one.leases.holds(2, steady=0.0)


def test_a_node_knows_by_its_own_clock_that_a_lease_may_have_ended(nodes: Nodes) -> None:
    one = nodes.node("one")
    add(nodes.elected, "a")
    one.claim()
    assert one.leases.holds(1, steady=LEASE_S - 0.1)
    assert not one.leases.holds(1, steady=LEASE_S + 0.1)


def test_what_is_given_back_is_anybodys_at_once(nodes: Nodes) -> None:
    one, two = nodes.node("one"), nodes.node("two")
    add(nodes.elected, "a", "b")
    one.claim()
    with Transaction(one.connection):
        one.leases.give_back(one.connection, [1])
    assert two.claim() == ["a"]


def test_a_node_that_ends_gives_all_back_also_what_it_forgot(nodes: Nodes) -> None:
    one, two = nodes.node("one"), nodes.node("two")
    add(nodes.elected, "a", "b")
    one.claim()
    one.leases.forget([1])
    one.leases.give_all_back(one.connection)
    assert two.claim() == ["a", "b"]


def test_what_is_on_its_way_is_not_claimed_again_by_its_own_node_but_what_was_dropped_is(nodes: Nodes) -> None:
    one = nodes.node("one")
    add(nodes.elected, "a", "b")
    assert one.claim() == ["a", "b"]
    one.leases.forget([1])
    assert one.claim() == ["a"]


def test_an_outcome_that_is_not_committed_yet_hides_the_key(nodes: Nodes) -> None:
    one, two = nodes.node("one"), nodes.node("two")
    add(nodes.elected, "a", "a")
    one.claim()
    one.connection.begin()
    assert one.leases.settle(one.connection, 1)
    outbox.end(one.connection, [1], state="delivered", now=LATER, answer="ok")
    assert two.claim() == []
    one.connection.commit()
    assert two.claim() == ["a"]


def test_what_is_tried_again_later_is_not_due_before(nodes: Nodes) -> None:
    one, two = nodes.node("one"), nodes.node("two")
    add(nodes.elected, "a")
    one.claim()
    at = deliverers.sign_in(one.connection, "one", "one:1", ())
    with Transaction(one.connection):
        assert one.leases.settle(one.connection, 1)
        (head,) = outbox.heads(one.connection, TARGET, limit=1)
        delivery = outbox.load(one.connection, TARGET, head, pairs=False)
        outbox.defer(one.connection, delivery, next_at=at + 60, answer="500")
    one.leases.forget([1])
    assert one.claim() == two.claim() == []
    assert two.leases.due(two.connection, [TARGET]) == []
    nodes.elected.execute("UPDATE outbox SET next_at = next_at - 60")
    assert two.leases.due(two.connection, [TARGET, OTHER]) == [TARGET]
    assert two.claim() == ["a"]


def test_what_was_decided_by_a_clock_that_is_ahead_is_due_at_once(nodes: Nodes) -> None:
    add(nodes.elected, "a", at=NOON + 200 * 366 * DAY)
    one = nodes.node("one")
    assert one.leases.due(one.connection, [TARGET]) == [TARGET]
    assert one.claim() == ["a"]


def test_who_is_told_of_a_key_is_decided_by_one_at_a_time(nodes: Nodes) -> None:
    one, two = nodes.node("one"), nodes.node("two")
    with Transaction(one.connection):
        decide(one.connection, ["a", "b"])
        with Transaction(two.connection):
            assert not may_decide(two.connection, "a")
            assert may_decide(two.connection, "c")
    with Transaction(two.connection):
        assert may_decide(two.connection, "a")


def test_whoever_decides_for_sure_waits_for_whoever_decides_now(nodes: Nodes) -> None:
    one = nodes.node("one")
    waits = threading.Event()

    def write() -> None:
        with Transaction(nodes.elected):
            waits.set()
            decide(nodes.elected, ["b", "a"])
            told = make_notification([make_message()], dedup_key="a", at=NOON)
            outbox.add(nodes.elected, OTHER, told, deadline=NOON + DAY)

    with ThreadPoolExecutor(1) as pool:
        with Transaction(one.connection):
            decide(one.connection, ["a"])
            writing = pool.submit(write)
            assert waits.wait(10)
            told = make_notification([make_message()], dedup_key="a", at=NOON)
            outbox.add(one.connection, OTHER, told, deadline=NOON + DAY, origin=TARGET)
        writing.result(10)
    rows = one.connection.execute("SELECT origin FROM outbox ORDER BY id").fetchall()
    assert [row[0] for row in rows] == [TARGET, ""]


def test_two_that_decide_the_same_keys_in_another_order_do_not_wait_for_each_other(nodes: Nodes) -> None:
    one, two = nodes.node("one"), nodes.node("two")
    names = [f"k{n}" for n in range(20)]
    begin = threading.Barrier(2)

    def often(node: Node, keys: list[str]) -> None:
        begin.wait()
        for _ in range(50):
            with Transaction(node.connection):
                decide(node.connection, keys)

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(often, one, names), pool.submit(often, two, names[::-1])]:
            done.result(20)


def test_a_turn_to_tell_again_is_one_nodes(nodes: Nodes) -> None:
    one, two = nodes.node("one"), nodes.node("two")
    assert one.leases.take_turn(one.connection, TARGET, 60.0)
    assert not two.leases.take_turn(two.connection, TARGET, 60.0)
    assert two.leases.take_turn(two.connection, OTHER, 60.0)
    nodes.elected.execute("UPDATE repeats SET next_at = next_at - 60")
    assert two.leases.take_turn(two.connection, TARGET, 60.0)
    assert not one.leases.take_turn(one.connection, TARGET, 60.0)


def test_the_nodes_that_deliver_are_known_until_they_end_or_are_silent(nodes: Nodes) -> None:
    one, two = nodes.node("one"), nodes.node("two")
    deliverers.sign_in(one.connection, "one", "one:1", [OTHER, TARGET])
    deliverers.sign_in(two.connection, "two", "two:1", [TARGET])
    assert delivering(nodes.elected) == [
        Delivering(node="one:1", targets=[OTHER, TARGET]),
        Delivering(node="two:1", targets=[TARGET]),
    ]
    deliverers.sign_out(two.connection, "two")
    deliverers.sign_in(one.connection, "one", "one:1", [TARGET])
    assert delivering(nodes.elected) == [Delivering(node="one:1", targets=[TARGET])]
    nodes.elected.execute("UPDATE deliverers SET seen_at = seen_at - 100000")
    assert delivering(nodes.elected) == []
    deliverers.prune(nodes.elected)
    assert nodes.elected.execute("SELECT count(*) FROM deliverers").fetchone()[0] == 0


def test_one_node_on_a_folder_shares_with_nobody(tmp_path: Path) -> None:
    connection = open_database(tmp_path)
    assert delivering(connection) is None
    deliverers.prune(connection)
    connection.close()


def test_a_node_that_stands_still_in_a_transaction_holds_up_nobody_for_long(nodes: Nodes) -> None:
    one = nodes.node("one")
    one.leases.begin(one.connection)
    one.connection.begin()
    decide(one.connection, ["a"])
    # The server ends the session of the one that says nothing, in 3 s.
    with Transaction(nodes.elected):
        decide(nodes.elected, ["a"])


def test_a_key_may_be_any_text(nodes: Nodes) -> None:
    odd = "a\0b'\"{},\\ é 😀 \ufffe NULL"
    one = nodes.node("one")
    add(nodes.elected, odd, "plain")
    with Transaction(one.connection):
        decide(one.connection, [odd, "plain"])
        assert may_decide(one.connection, odd)
    with Deciding(one.connection, at_once=True):
        found = one.leases.heads(one.connection, TARGET, limit=5, busy=[odd], now=0.0)
    assert [head.dedup_key for head in found] == ["plain"]
    assert one.claim() == [odd, "plain"]


def test_more_keys_than_the_server_has_room_for_locks_are_decided_in_one_transaction(nodes: Nodes) -> None:
    with Transaction(nodes.elected):
        decide(nodes.elected, [f"k{n}" for n in range(50_000)])
