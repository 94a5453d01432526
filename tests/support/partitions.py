"""A log of several partitions, as lists; and shards over it, on a real PostgreSQL."""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import msgspec
import psycopg
from claxon.event import Event

from alerts.notification import Notification
from alerts.notifier import Notifier
from alerts.policy import Policy
from alerts.routes import Route
from alerts.rules import Rule
from service.core import Core
from service.known import to_text as claims_text
from service.nodes.shard import Logged
from service.rule_texts import to_text
from service.shards.gathering import Gathering
from service.shards.in_force import InForce
from service.shards.shard import EngineShard, ShardTally
from service.storage import event_log, partitions, reports
from service.storage.connecting import Connection
from service.storage.database import Transaction, open_database
from service.storage.envelope import Envelope
from service.storage.partitions import Tenure
from service.storage.places import PostgresUrl
from service.storage.postgres_connection import PostgresConnection
from tests.support.events import NOON

_SENT = msgspec.json.Encoder()


class Clock:
    """Two clocks wound by hand: the wall's, and one that never jumps."""

    def __init__(self, now: float) -> None:
        """Begin at an instant."""
        self.now = float(now)
        self.steady = 1000.0

    def to(self, now: float) -> None:
        """Let time pass."""
        self.steady += max(0.0, now - self.now)
        self.now = float(now)

    def jump(self, by_s: float) -> None:
        """Set the wall's clock."""
        self.now += by_s


def connect(url: str) -> PostgresConnection:
    """Return a connection of a node that was not elected."""
    return PostgresConnection(psycopg.connect(url, autocommit=True))


def posted(events: Sequence[Event]) -> bytes:
    """Return the text of events, as they were posted: without what is derived when they arrive."""
    return _SENT.encode([_sent(event) for event in events])


def _sent(event: Event) -> Event:
    # Whether a failure may be taken back is derived where nobody said that it was the last.
    unsaid = {"final": None, "exhausted": None} if event.provisional else {}
    return msgspec.structs.replace(event, at=0.0, category="ok", provisional=False, **unsaid)


def logged(
    offset: int,
    body: bytes,
    *,
    at: float,
    key: str | None = None,
    claims: dict[int, tuple[str, ...]] | None = None,
    spans: bool = False,
) -> Logged:
    """Return a message, as who took it wrote it."""
    return Logged(
        offset,
        at,
        Envelope(
            received_at=at,
            app="app",
            environment="",
            key=key,
            n=1,
            claims=claims_text(claims or {}),
            spans=spans,
            client_dropped=0,
            node="ingest",
            body=event_log.compress(body),
        ),
    )


def partition_of(event: Event, n: int) -> int:
    """Return where an event's app and environment are."""
    return zlib.crc32(f"{event.app}\0{event.environment}".encode()) % n


@dataclass
class Log:
    """Partitions of messages, each in order; `read` is all that a restart needs of it."""

    n: int = 1
    messages: dict[int, list[Logged]] = field(default_factory=dict)

    def add(
        self,
        events: Iterable[Event],
        *,
        at: float,
        key: str | None = None,
        claims: dict[int, tuple[str, ...]] | None = None,
        spans: bool = False,
    ) -> None:
        """Append a batch: one message for each app and environment, where it belongs."""
        parts: dict[tuple[str, str], list[Event]] = {}
        for event in events:
            parts.setdefault((event.app, event.environment), []).append(event)
        for part in parts.values():
            where = self.messages.setdefault(partition_of(part[0], self.n), [])
            # Kafka's offsets have gaps.
            offset = where[-1].offset + 3 if where else 5
            where.append(logged(offset, posted(part), at=at, key=key, claims=claims, spans=spans))

    def after(self, tenure: Tenure) -> list[Logged]:
        """Return the messages that an owner has not evaluated."""
        found = self.messages.get(tenure.partition, [])
        return [message for message in found if message.offset >= tenure.standing.next_offset]

    def read(self, partition: int, first: int, last: int) -> Iterator[Logged]:
        """Yield messages again."""
        yield from [m for m in self.messages.get(partition, []) if first <= m.offset <= last]


@dataclass
class Owned:
    """A partition that a node owns, as that node runs it; made anew by `again`."""

    connection: Connection
    log: Log
    clock: Clock
    partition: int
    tally: ShardTally
    tenure: Tenure
    shard: EngineShard

    def take_all(self, chance: random.Random | None = None) -> None:
        """Take all that is new, in one group, or in some."""
        while waiting := self.log.after(self.tenure):
            n = chance.randint(1, len(waiting)) if chance is not None else len(waiting)
            self.shard.take(waiting[:n], self.clock.now)

    def tick(self) -> None:
        """Let time pass."""
        self.shard.tick(self.clock.now)

    def again(self) -> Owned:
        """Return the same partition as it is once it was taken over."""
        return own(self.connection, self.log, self.clock, self.partition)


def own(connection: Connection, log: Log, clock: Clock, partition: int = 0) -> Owned:
    """Return a partition that was claimed, with its shard; rules must be in force."""
    tenure = partitions.claim(connection, partition, node="n", now=clock.now)
    tally = ShardTally()

    def steady() -> float:
        return clock.steady

    shard = EngineShard(tenure, log, InForce(steady=steady), tally, steady=steady)
    return Owned(connection, log, clock, partition, tally, tenure, shard)


def put_in_force(connection: Connection, rules: Iterable[Rule], *, at: float = 0.0) -> None:
    """Have all partitions take rules, as the elected node does."""
    with Transaction(connection):
        reports.put_rules_in_force(connection, to_text(rules), at=at)


def elect(url: str, rules: Iterable[Rule], clock: Clock, policy: Policy | None = None) -> Core:
    """Return the core of a node that was elected, recovered; what it is to do is asked of it."""
    connection, rules = open_database(PostgresUrl(url)), tuple(rules)

    def steady() -> float:
        return clock.steady

    core = Core(
        connection,
        rules,
        Notifier(policy=policy or Policy(route=Route(receiver="on-call"))),
        clock=lambda: clock.now,
        targets=lambda told: [f"{told.receiver}/webhook/0"],
        steady=steady,
        source=Gathering(connection, rules, steady=steady),
    )
    core.start()
    return core


def die(core: Core) -> None:
    """End a core without having it finish anything."""
    core._queue.put(None)
    core._thread.join()
    core._writer.close()
    core.connection.close()


class Tier:
    """Partitions, each evaluated by itself, and the elected node's core over them; clocks wound by hand."""

    def __init__(
        self, url: str, rules: Iterable[Rule], *, n: int = 3, now: float = NOON, policy: Policy | None = None
    ) -> None:
        """Begin with an empty database."""
        self.url = url
        self.rules = tuple(rules)
        self.policy = policy
        self.clock, self.log = Clock(now), Log(n)
        self.core = self.elect()
        self.nodes = [connect(url) for _ in range(n)]
        self.owned = [own(self.nodes[partition], self.log, self.clock, partition) for partition in range(n)]

    def elect(self) -> Core:
        """Return the core of a node that was elected."""
        return elect(self.url, self.rules, self.clock, self.policy)

    def observe(self, events: Sequence[Event], *, now: float, chance: random.Random | None = None) -> None:
        """Let time pass up to an instant, and have events come then."""
        self.clock.to(now)
        self.log.add(events, at=self.clock.now)
        for owned in self.owned:
            owned.take_all(chance)
            owned.tick()

    def tick(self) -> None:
        """Have the elected node look at what was reported."""
        self.core.submit(self.core.tick).result(10)

    def wait(self, seconds: float) -> None:
        """Let time pass, evaluated as often as in life, or nearly."""
        end = self.clock.now + seconds
        while self.clock.now < end:
            self.observe([], now=min(end, self.clock.now + 30.0))
            self.tick()

    def told(self) -> list[Notification]:
        """Return what is to be sent, in order."""
        connection = connect(self.url)
        rows = connection.execute("SELECT notification FROM outbox ORDER BY id").fetchall()
        connection.close()
        return [msgspec.msgpack.decode(row[0], type=Notification) for row in rows]

    def crash(self) -> None:
        """Have the elected node end without finishing anything, and another one be elected."""
        die(self.core)
        self.core = self.elect()

    def close(self) -> None:
        """End all."""
        self.core.stop()
        for node in self.nodes:
            node.close()
