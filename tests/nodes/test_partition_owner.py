"""What a node does with the partitions it is given, on a real PostgreSQL and a log in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
import pytest

from service.nodes.partition_owner import PartitionOwner
from service.nodes.shard import Logged, PoisonError, Shard
from service.storage import envelope, event_log, partitions
from service.storage.connecting import Connection
from service.storage.database import open_beside, open_database, open_reader
from service.storage.errors import FencedError, UnreachableError
from service.storage.partitions import PartitionRow, Tenure
from service.storage.places import PostgresUrl
from service.storage.topics import Given, Group, Taken
from tests.support.counting import TABLE, Counted, CountingShard, until
from tests.support.memory_log import MemoryGroup, MemoryLog
from tests.support.postgres import Postgres, start_postgres

pytestmark = pytest.mark.peer("postgres")


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with start_postgres() as started:
        yield started


@pytest.fixture(scope="module")
def template(server: Postgres) -> str:
    name = server.create_database()
    open_database(PostgresUrl(server.url(name))).close()
    server.sql(TABLE, name)
    return name


@pytest.fixture
def counted(server: Postgres, template: str) -> Iterator[Counted]:
    name = server.create_database(template=template)
    yield Counted(server, name)
    server.drop_database(name)


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog(partitions=2)


class Nodes:
    """Starts owners, each a thread with a member of its own."""

    def __init__(self, log: MemoryLog, counted: Counted) -> None:
        self.place = PostgresUrl(counted.url)
        self.running: list[PartitionOwner] = []
        self._log = log

    def start(
        self,
        node: str = "a",
        *,
        shard: Callable[..., Shard] = CountingShard,
        connect: Callable[[], Connection] | None = None,
    ) -> tuple[PartitionOwner, MemoryGroup]:
        """Start one, with a kind of shard, and perhaps a way of its own to the database."""
        groups: list[MemoryGroup] = []

        def open_group(*, given: Given, taken: Taken) -> Group:
            groups.append(MemoryGroup(self._log, given=given, taken=taken))
            return groups[0]

        def make_shard(tenure: Tenure) -> Shard:
            return shard(tenure, node=node)

        owner = PartitionOwner(open_group, connect or self.connect, make_shard, node=node)
        owner.start()
        self.running.append(owner)
        return owner, groups[0]

    def connect(self) -> Connection:
        return open_beside(self.place)


@pytest.fixture
def nodes(log: MemoryLog, counted: Counted) -> Iterator[Nodes]:
    started = Nodes(log, counted)
    yield started
    for owner in started.running:
        owner.stop()


def message(*events: str, key: str | None = None, version: int = envelope.VERSION) -> bytes:
    body = msgspec.json.encode([{"model": "m", "event_id": event} for event in events])
    return envelope.write(
        envelope.Envelope(
            version=version,
            received_at=1_790_000_000.0,
            app="shop",
            environment="",
            key=key,
            n=len(events),
            claims="",
            spans=False,
            client_dropped=0,
            node="ingest",
            body=event_log.compress(body),
        )
    )


def rows(nodes: Nodes) -> dict[int, PartitionRow]:
    reader = open_reader(nodes.place)
    found = {row.partition: row for row in partitions.read(reader)}
    reader.close()
    return found


def test_messages_are_evaluated_in_order_and_the_offset_moves_with_them(
    nodes: Nodes, log: MemoryLog, counted: Counted
) -> None:
    _, group = nodes.start()
    for n in range(5):
        log.append(message(f"{n}"))
    group.give(0, 1)

    until(lambda: counted.events() == ["0", "1", "2", "3", "4"])
    log.append(message("5"), partition=1, logged_at=7.5)
    until(lambda: len(counted.events()) == 6)

    found = rows(nodes)
    assert (found[0].next_offset, found[1].next_offset) == (5, 1)
    assert found[1].logged_at == 7.5
    assert (found[0].owner, found[0].generation) == ("a", 1)


def test_the_next_owner_goes_on_where_the_one_before_ended(nodes: Nodes, log: MemoryLog, counted: Counted) -> None:
    _, first = nodes.start("a")
    _, second = nodes.start("b")
    first.give(0)
    log.append(message("1"))
    until(lambda: counted.events() == ["1"])

    first.take_away(0)
    log.append(message("2"))
    second.give(0)

    until(lambda: counted.events() == ["1", "2"])
    assert second.seeks == [(0, 1)]
    assert counted.owners() == {0: "b"}


def test_an_owner_that_was_replaced_without_a_word_writes_nothing(nodes: Nodes) -> None:
    connection, other = nodes.connect(), nodes.connect()
    stale = partitions.claim(connection, 0, node="a", now=1.0)
    with stale.transaction(partitions.Standing(next_offset=5)):
        pass
    newer = partitions.claim(other, 0, node="b", now=2.0)

    with pytest.raises(FencedError), stale.transaction(partitions.Standing(next_offset=9)):
        partitions.note_poison(stale, 7, why="", at=3.0)

    assert newer.standing.next_offset == stale.standing.next_offset == 5
    assert rows(nodes)[0].next_offset == 5
    assert rows(nodes)[0].poison == 0
    connection.close()
    other.close()


def test_two_that_both_believe_they_own_a_partition_count_each_event_once(
    nodes: Nodes, log: MemoryLog, counted: Counted
) -> None:
    """As while a group has not agreed yet: whoever claims last writes, and the other one claims again."""
    both = [nodes.start("a"), nodes.start("b")]
    for _, group in both:
        group.give(0)
    sent: list[str] = []
    while not all(owner.tally.fenced for owner, _ in both):
        for _ in range(10):
            sent.append(f"{len(sent):04}")
            log.append(message(sent[-1]))
        until(lambda: len(counted.events()) >= len(sent))
    both[0][1].take_away(0, lost=True)
    log.append(message("last"))
    until(lambda: "last" in counted.events())
    assert counted.events() == [*sent, "last"]


RUBBISH = [None, b"", b'{"model": "m"}', message("x")[:-1]]


def test_a_message_that_is_none_of_ours_is_noted_and_passed_over(
    nodes: Nodes, log: MemoryLog, counted: Counted
) -> None:
    owner, group = nodes.start()
    log.append(message("1"))
    for value in RUBBISH:
        log.append(value)
    log.append(message("2"))
    log.append(b"at the end")
    group.give(0)

    until(lambda: owner.tally.poisoned == 5)

    assert counted.events() == ["1", "2"]
    assert [row[:2] for row in counted.sql('SELECT partition, "offset" FROM partition_poison ORDER BY 2')] == [
        ["0", "1"],
        ["0", "2"],
        ["0", "3"],
        ["0", "4"],
        ["0", "6"],
    ]
    assert rows(nodes)[0].poison == 5
    assert rows(nodes)[0].next_offset == 7


class StumblingShard(CountingShard):
    """Fails at messages whose key says so."""

    def take(self, messages: Sequence[Logged], now: float) -> None:
        for one in messages:
            if one.envelope.key == "stumble":
                raise ZeroDivisionError("by zero")
            if one.envelope.key == "poison":
                raise PoisonError(one.offset, "cannot be")
        super().take(messages, now)


@pytest.mark.parametrize(("key", "why"), [("stumble", "ZeroDivisionError: by zero"), ("poison", "cannot be")])
@pytest.mark.parametrize("around", [0, 3])
def test_a_message_that_its_shard_stumbles_over_stops_no_other(
    nodes: Nodes, log: MemoryLog, counted: Counted, key: str, why: str, around: int
) -> None:
    for n in range(around):
        log.append(message(f"before {n}"))
    bad = log.append(message("bad", key=key))
    for n in range(around):
        log.append(message(f"after {n}"))
    owner, group = nodes.start(shard=StumblingShard)
    group.give(0)

    until(lambda: owner.tally.poisoned == 1 and len(counted.events()) == 2 * around)

    assert counted.events() == [f"{when} {n}" for when in ("before", "after") for n in range(around)]
    assert counted.sql('SELECT "offset", why FROM partition_poison') == [[str(bad), why]]
    log.append(message("later"))
    until(lambda: "later" in counted.events())


class OnceShard(CountingShard):
    """Fails at its first message, once for all of them."""

    failed: list[str]

    def take(self, messages: Sequence[Logged], now: float) -> None:
        if not self.failed:
            self.failed.append("once")
            raise RuntimeError("for a moment")
        super().take(messages, now)


def test_a_fault_that_is_over_passes_nothing_over(nodes: Nodes, log: MemoryLog, counted: Counted) -> None:
    shard = type("Once", (OnceShard,), {"failed": []})
    log.append(message("1"))
    owner, group = nodes.start(shard=shard)
    group.give(0)
    until(lambda: counted.events() == ["1"])
    assert (owner.tally.faults, owner.tally.poisoned) == (1, 0)


class ForgetfulShard(CountingShard):
    """Commits nothing, and says it did."""

    def take(self, messages: Sequence[Logged], now: float) -> None:
        pass


def test_a_shard_that_does_not_move_its_offset_is_not_believed(nodes: Nodes, log: MemoryLog) -> None:
    log.append(message("1"))
    owner, group = nodes.start(shard=ForgetfulShard)
    group.give(0)
    until(lambda: owner.tally.faults > 0)
    assert owner.tally.messages == 0


def test_a_message_of_a_newer_claxon_waits_for_its_upgrade(nodes: Nodes, log: MemoryLog, counted: Counted) -> None:
    owner, group = nodes.start()
    log.append(message("1"))
    log.append(message("2", version=2))
    log.append(message("3"))
    log.append(message("other"), partition=1)
    group.give(0, 1)

    until(lambda: any("upgrade" in view.stalled for view in owner.views))
    until(lambda: set(counted.events()) == {"1", "other"})
    assert owner.tally.poisoned == 0
    assert rows(nodes)[0].next_offset == 1
    assert [view.waiting for view in owner.views] == [0, 0]  # it is not known while nothing is claimed


def test_messages_that_were_gone_before_they_were_read_are_counted_and_said(
    nodes: Nodes, log: MemoryLog, counted: Counted
) -> None:
    owner, group = nodes.start()
    log.append(message("1"))
    group.give(0)
    until(lambda: counted.events() == ["1"])
    group.take_away(0)
    for n in range(2, 8):
        log.append(message(str(n)))
    log.prune(before=4)
    group.give(0)

    until(lambda: counted.events() == ["1", "5", "6", "7"])

    assert counted.sql("SELECT expected, found, lost FROM partition_losses") == [["1", "4", "3"]]
    assert (owner.tally.losses, owner.tally.lost) == (1, 3)
    assert (rows(nodes)[0].losses, rows(nodes)[0].lost) == (1, 3)


def test_a_topic_that_was_made_anew_is_read_from_what_came_since(
    nodes: Nodes, log: MemoryLog, counted: Counted
) -> None:
    owner, group = nodes.start()
    for n in range(3):
        log.append(message(f"old {n}"), logged_at=100.0 + n)
    group.give(0)
    until(lambda: len(counted.events()) == 3)
    group.take_away(0)
    log.make_anew()
    log.append(message("copied back"), logged_at=102.0)
    log.append(message("new"), logged_at=103.0)
    group.give(0)

    until(lambda: "new" in counted.events())

    assert counted.events() == ["old 0", "old 1", "old 2", "new"]
    assert [row[:3] for row in counted.sql("SELECT expected, found, lost FROM partition_losses")] == [["3", "1", "0"]]
    assert owner.tally.losses == 1


def test_a_gap_in_the_log_is_no_loss(nodes: Nodes, log: MemoryLog, counted: Counted) -> None:
    owner, group = nodes.start()
    log.append(message("1"))
    log.append(message("2"), gap=3)
    group.give(0)
    until(lambda: counted.events() == ["1", "2"])
    log.append(message("3"), gap=1)
    until(lambda: counted.events() == ["1", "2", "3"])
    assert owner.tally.losses == 0


def test_a_message_that_the_client_leaves_out_is_asked_for_again(
    nodes: Nodes, log: MemoryLog, counted: Counted
) -> None:
    _, group = nodes.start()
    group.lose_messages_once(0)
    for n in range(3):
        log.append(message(str(n)))
    group.give(0)
    until(lambda: counted.events() == ["0", "1", "2"])


def test_a_database_that_is_away_for_long_has_others_take_over(nodes: Nodes, log: MemoryLog, counted: Counted) -> None:
    gone = threading.Event()
    gone.set()

    def connect() -> Connection:
        if gone.is_set():
            raise UnreachableError("postgresql://db: no route")
        return nodes.connect()

    owner, group = nodes.start(connect=connect)
    group.give(0)
    until(lambda: group.left)
    assert owner.why == "postgresql://db: no route"
    gone.clear()
    until(lambda: not group.left)
    group.give(0)
    log.append(message("1"))
    until(lambda: counted.events() == ["1"])
    assert owner.why == ""


def test_a_node_whose_database_answers_nothing_lets_others_have_its_partitions(
    nodes: Nodes, log: MemoryLog, counted: Counted
) -> None:
    """While it connects, too, it hears that they are taken: nobody else would get them before."""
    answers, opened = threading.Event(), []

    def connect() -> Connection:
        if opened:
            answers.wait(30)
        opened.append(nodes.connect())
        return opened[-1]

    owner, group = nodes.start(connect=connect)
    group.give(0)
    log.append(message("1"))
    until(lambda: counted.events() == ["1"] and owner.views != ())
    counted.sql(TERMINATED)

    until(lambda: group.left and owner.views == ())

    answers.set()
    until(lambda: not group.left)
    group.give(0)
    log.append(message("2"))
    until(lambda: counted.events() == ["1", "2"])


def test_a_database_that_answers_after_the_end_is_let_go(nodes: Nodes, counted: Counted) -> None:
    answers, asked = threading.Event(), threading.Event()

    def connect() -> Connection:
        asked.set()
        answers.wait(30)
        return nodes.connect()

    owner, _ = nodes.start(connect=connect)
    assert asked.wait(30)
    owner.stop()
    answers.set()
    for thread in [one for one in threading.enumerate() if one.name == "claxon-reaching"]:
        thread.join(30)
    until(lambda: counted.sql(f"SELECT count(*) {OURS}") == [["0"]])


OURS = "FROM pg_stat_activity WHERE application_name = 'claxon node' AND datname = current_database()"
TERMINATED = f"SELECT pg_terminate_backend(pid) {OURS}"


def test_a_connection_that_ends_loses_nothing(nodes: Nodes, log: MemoryLog, counted: Counted) -> None:
    owner, group = nodes.start()
    group.give(0, 1)
    sent = []
    for n in range(10):
        for k in range(20):
            sent.append(f"{n}-{k:02}")
            log.append(message(sent[-1]), partition=k % 2)
        until(lambda: set(counted.events()) == set(sent))
        counted.sql(TERMINATED)
    until(lambda: set(counted.events()) == set(sent))
    assert len(counted.events()) == 200
    assert owner.alive


class TickingShard(CountingShard):
    """Notes its ticks, and that it was ended."""

    ticks: list[Any]

    def tick(self, now: float) -> None:
        self.ticks.append(now)

    def end(self) -> None:
        self.ticks.append("end")


def test_time_passes_only_for_who_has_read_all_there_is(nodes: Nodes, log: MemoryLog, counted: Counted) -> None:
    shard = type("Ticking", (TickingShard,), {"ticks": []})
    owner, group = nodes.start(shard=shard)
    log.append(message("1"), logged_at=1.0)
    group.give(0)
    until(lambda: len(shard.ticks) > 1)
    assert counted.events() == ["1"]
    assert owner.views[0].lag_s == 0.0

    group.take_away(0)
    until(lambda: shard.ticks[-1] == "end")


class SlowShard(CountingShard):
    """Takes a while to make."""

    def __init__(self, tenure: Tenure, *, node: str) -> None:
        super().__init__(tenure, node=node)
        threading.Event().wait(0.3)


def test_messages_are_asked_for_between_two_shards_that_take_long_to_make(
    nodes: Nodes, log: MemoryLog, counted: Counted
) -> None:
    log.append(message("0"))
    log.append(message("1"), partition=1)
    owner, group = nodes.start(shard=SlowShard)
    group.give(0, 1)
    until(lambda: len(counted.events()) == 2)
    assert owner.tally.claimed == 2
    assert group.asked_after == [1, 2]


def test_kafka_is_told_how_far_partitions_are_read(nodes: Nodes, log: MemoryLog) -> None:
    _, group = nodes.start()
    log.append(message("1"))
    group.give(0)
    until(lambda: log.told.get(0) == 1)
