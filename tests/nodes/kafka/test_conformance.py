"""What each log promises to who sends events and to who evaluates them, on PostgreSQL's inbox and on Kafka."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Protocol

import pytest

from alerts.default_rules import DEFAULT_RULES
from alerts.notifier import Notifier
from alerts.routes import Route
from service import clock
from service.core import Core
from service.decoding import decode_logged
from service.intake import Intake
from service.nodes.follower import Follower
from service.nodes.inbox_writer import InboxWriter
from service.nodes.kafka_writer import KafkaWriter
from service.nodes.partition_owner import PartitionOwner
from service.rejects import Rejects
from service.storage import event_log, inbox
from service.storage.connecting import Connection
from service.storage.database import Transaction, open_beside, open_database, open_reader
from service.storage.inbox import InboxRow
from service.storage.kafka_url import KafkaUrl
from service.storage.places import PostgresUrl
from service.storage.topics import open_group, open_producer
from service.work import Ingest, Posted
from tests.support.counting import Counted, CountingShard, until

pytestmark = [pytest.mark.peer("kafka"), pytest.mark.peer("postgres")]


class Evaluates(Protocol):
    """Who takes events out of a log."""

    def stop(self) -> None:
        """End in good order."""


class Log(Protocol):
    """A log, and what has been taken out of it.

    Attributes:
        writer: Who writes.
    """

    writer: InboxWriter | KafkaWriter

    def evaluate(self) -> Evaluates:
        """Begin to take events out."""

    def taken(self) -> list[tuple[str, str]]:
        """Return the app and the id of each event that was taken, in order."""

    def put_rubbish(self) -> None:
        """Write what nobody can read."""

    def set_aside(self) -> int:
        """Return how much of that was set aside."""


class Elected:
    """The elected node's core, and its follower."""

    def __init__(self, place: PostgresUrl) -> None:
        notifier = Notifier(Route(receiver="ops"), (), external_url="http://127.0.0.1:1")
        self._core = Core(open_database(place), DEFAULT_RULES, notifier, clock=clock.now, targets=lambda _: [])
        reads = partial(open_reader, place)
        self._follower = Follower(self._core, reads, rejects=Rejects(clock=clock.now), intake=Intake(), clock=clock.now)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._core.start()
        self._follower.start(self._loop)

    def stop(self) -> None:
        self._follower.stop()
        self._core.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class InboxLog:
    """PostgreSQL's inbox, and the log of the elected node."""

    def __init__(self, place: PostgresUrl) -> None:
        self.writer = InboxWriter(partial(open_beside, place), node="ingest")
        self._place = place
        self._connection: Connection = open_beside(place)

    def evaluate(self) -> Evaluates:
        return Elected(self._place)

    def taken(self) -> list[tuple[str, str]]:
        found = []
        for row in event_log.read(self._connection, -1):
            if row.n:
                events = decode_logged(row.body, received_at=row.received_at, app=row.app, skip=row.skip)
                found += [(event.app, str(event.event_id)) for event in events]
        return found

    def put_rubbish(self) -> None:
        row = InboxRow(clock.now(), "shop", None, 1, "", "", False, 0, "", b"rubbish")
        with Transaction(self._connection):
            inbox.put(self._connection, [row])

    def set_aside(self) -> int:
        return int(self._connection.execute("SELECT count(*) FROM inbox_poison").fetchone()[0])

    def close(self) -> None:
        self._connection.close()


class KafkaLog:
    """A topic, and a table of what was taken out of it."""

    def __init__(self, log: KafkaUrl, counted: Counted) -> None:
        self.writer = KafkaWriter(open_producer(log), node="ingest")
        self._log = log
        self._counted = counted

    def evaluate(self) -> Evaluates:
        place = PostgresUrl(self._counted.url)
        owner = PartitionOwner(
            partial(open_group, self._log), partial(open_beside, place), partial(CountingShard, node="a"), node="a"
        )
        owner.start()
        return owner

    def taken(self) -> list[tuple[str, str]]:
        return [(row[0], row[1]) for row in self._counted.sql("SELECT app, event FROM counted ORDER BY id")]

    def put_rubbish(self) -> None:
        producer = open_producer(self._log)
        told = threading.Event()
        producer.send(b"shop\0", b"rubbish", lambda _: told.set())
        assert told.wait(30)
        producer.close()

    def set_aside(self) -> int:
        return int(self._counted.sql("SELECT count(*) FROM partition_poison")[0][0])

    def close(self) -> None:
        pass


@pytest.fixture(params=["inbox", "kafka"])
def events(request: pytest.FixtureRequest, counted: Counted) -> Iterator[Log]:
    """The log under test, with who writes to it."""
    found: InboxLog | KafkaLog
    if request.param == "inbox":
        found = InboxLog(PostgresUrl(counted.url))
    else:
        found = KafkaLog(request.getfixturevalue("log"), counted)
    found.writer.start()
    until(lambda: not found.writer.refusal)
    yield found
    found.writer.stop()
    found.close()


def post(events: Log, of: Sequence[tuple[str, str]], *, key: str | None = None) -> None:
    """Post events of (app, id) as one batch, and return when they are acknowledged."""
    body = json.dumps([{"model": "m", "app": app, "event_id": id_} for app, id_ in of]).encode()
    posted = Posted(body, event_log.compress(body))
    work = Ingest(batch=posted, received_at=clock.now(), app="default", key=key)
    assert json.loads(events.writer.ingest(work).result(timeout=30).answer)["accepted"] == len(of)


def _has(events: Log, n: int) -> bool:
    return len(events.taken()) >= n


def test_what_is_acknowledged_is_taken_once_and_each_app_in_its_order(events: Log) -> None:
    sent = [(f"app-{n % 7}", f"{n:03}") for n in range(210)]
    for first in range(0, 210, 10):
        post(events, sent[first : first + 10])
    evaluates = events.evaluate()
    until(lambda: len(events.taken()) >= 210)
    found = events.taken()
    evaluates.stop()
    assert sorted(found) == sorted(sent)
    for app in {app for app, _ in sent}:
        assert [one for one in found if one[0] == app] == [one for one in sent if one[0] == app]


def test_a_batch_that_is_sent_again_with_its_key_counts_once(events: Log) -> None:
    evaluates = events.evaluate()
    sent = [("a", "1"), ("b", "2"), ("a", "3")]
    for _ in range(3):
        post(events, sent, key="k")
    post(events, [("a", "last"), ("b", "last")])
    until(lambda: events.taken().count(("a", "last")) + events.taken().count(("b", "last")) == 2)
    found = events.taken()
    evaluates.stop()
    assert sorted(found) == sorted([*sent, ("a", "last"), ("b", "last")])


def test_who_comes_next_goes_on_where_the_one_before_ended(events: Log) -> None:
    sent = []
    for n in range(3):
        post(events, [("shop", f"{n} before")])
        evaluates = events.evaluate()
        post(events, [("shop", f"{n} meanwhile")])
        sent += [("shop", f"{n} before"), ("shop", f"{n} meanwhile")]
        until(partial(_has, events, len(sent)))
        evaluates.stop()
    assert events.taken() == sent


def test_what_nobody_can_read_is_set_aside_and_stops_nobody(events: Log) -> None:
    post(events, [("shop", "before")])
    events.put_rubbish()
    post(events, [("shop", "after")])
    evaluates = events.evaluate()
    until(lambda: len(events.taken()) == 2 and events.set_aside() == 1)
    evaluates.stop()
    assert events.taken() == [("shop", "before"), ("shop", "after")]
