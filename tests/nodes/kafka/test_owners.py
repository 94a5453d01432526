"""Nodes that own the partitions of a topic: every event is counted once, whatever happens to one of them."""

from __future__ import annotations

import contextlib
import itertools
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.nodes.kafka_writer import KafkaWriter
from service.storage import event_log
from service.storage.errors import DatabaseError
from service.storage.kafka_url import KafkaUrl
from service.storage.topics import open_producer
from service.work import Ingest, Posted
from tests.support.counting import Counted, OwnerProcess, owner_process, until

pytestmark = [pytest.mark.peer("kafka"), pytest.mark.peer("postgres")]

APPS = [f"app-{n}" for n in range(20)]
NOW = 1_790_000_000.0


class Sender:
    """Posts batches of numbered events on and on, each again with the same key until it is acknowledged."""

    def __init__(self, log: KafkaUrl) -> None:
        self.acknowledged: list[str] = []
        self.refused = 0
        self._writer = KafkaWriter(open_producer(log), node="ingest")
        self._writer.start()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._numbers = itertools.count()

    def send(self, n: int, *, at_once: int = 20) -> None:
        """Post so many batches, and return when all are acknowledged."""
        for first in range(0, n, at_once):
            works = [self._work() for _ in range(min(at_once, n - first))]
            while works:
                for work, _ in works:
                    self._writer.ingest(work)
                works = [again for work, ids in works if (again := self._settle(work, ids)) is not None]

    def begin(self) -> None:
        """Post in a thread until `end`."""
        self._thread.start()

    def end(self) -> None:
        """End that when what was posted is acknowledged."""
        self._ended.set()
        self._thread.join()

    def close(self) -> None:
        """End what it posts with."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()
        self._writer.stop()

    def _run(self) -> None:
        while not self._ended.is_set():
            self.send(5, at_once=5)

    def _work(self) -> tuple[Ingest, list[str]]:
        number = next(self._numbers)
        ids = [f"{number:06}-{k}" for k in range(3)]
        # Of two apps, so most batches have parts in two partitions.
        apps = [APPS[number % 20], APPS[number % 20], APPS[(number + 7) % 20]]
        events = [{"model": "m", "event_id": id_, "app": app} for id_, app in zip(ids, apps, strict=True)]
        body = json.dumps(events).encode()
        posted = Posted(body, event_log.compress(body))
        return Ingest(batch=posted, received_at=NOW, app="default", key=str(number)), ids

    def _settle(self, work: Ingest, ids: list[str]) -> tuple[Ingest, list[str]] | None:
        try:
            work.done.result(timeout=30)
        except DatabaseError:
            self.refused += 1
            again = Ingest(batch=work.batch, received_at=NOW, app=work.app, key=work.key)
            return again, ids
        self.acknowledged += ids
        return None


@pytest.fixture
def sender(log: KafkaUrl) -> Iterator[Sender]:
    found = Sender(log)
    yield found
    found.close()


@pytest.fixture
def owners(log: KafkaUrl, counted: Counted, tmp_path: Path) -> Iterator[Owners]:
    with contextlib.ExitStack() as stack:
        yield Owners(log, counted, tmp_path, stack)


class Owners:
    """Starts nodes that own partitions."""

    def __init__(self, log: KafkaUrl, counted: Counted, folder: Path, stack: contextlib.ExitStack) -> None:
        self._log = log
        self._counted = counted
        self._folder = folder
        self._stack = stack

    def start(self, node: str) -> OwnerProcess:
        """Start one; return when it owns a partition."""
        found = self._stack.enter_context(owner_process(self._url, self._counted.url, node, self._folder / node))
        until(lambda: node in self._counted.owners().values(), what=f"{node}: owns nothing")
        return found

    @property
    def _url(self) -> str:
        return str(self._log)


def everything_once(counted: Counted, sender: Sender) -> None:
    """Wait until all that was acknowledged is counted, each once, and of each app in the order in which it was sent."""
    until(lambda: set(sender.acknowledged) <= set(counted.events()), what="not all of it is counted")
    events = counted.events()
    assert len(events) == len(set(events)), "counted twice"
    assert set(events) == set(sender.acknowledged)
    assert all(found == sorted(found) for found in counted.by_key().values())


def test_a_single_owner_counts_all_partitions(owners: Owners, sender: Sender, counted: Counted) -> None:
    owners.start("a")
    sender.send(200)
    everything_once(counted, sender)
    until(lambda: len(counted.owners()) == 6)


def test_partitions_go_to_another_node_while_events_come(owners: Owners, sender: Sender, counted: Counted) -> None:
    first = owners.start("a")
    sender.begin()
    owners.start("b")
    until(lambda: len(counted.owners()) == 6 and len(set(counted.owners().values())) == 2)
    owners.start("c")
    until(lambda: len(set(counted.owners().values())) == 3)
    first.terminate()
    until(lambda: set(counted.owners().values()) == {"b", "c"})
    sender.end()
    everything_once(counted, sender)


def test_kill_9_in_the_middle_of_a_transaction_loses_nothing_and_counts_nothing_twice(
    owners: Owners, sender: Sender, counted: Counted
) -> None:
    first = owners.start("a")
    sender.begin()
    until(lambda: len(counted.events()) > 100)
    first.hold()
    first.kill9()
    owners.start("b")
    until(lambda: set(counted.owners().values()) == {"b"})
    sender.end()
    everything_once(counted, sender)


def test_a_node_that_stood_still_in_a_transaction_writes_nothing_once_another_took_over(
    owners: Owners, sender: Sender, counted: Counted
) -> None:
    first = owners.start("a")
    sender.begin()
    until(lambda: len(counted.events()) > 100)
    first.hold()
    first.pause()
    owners.start("b")
    until(lambda: set(counted.owners().values()) == {"b"})
    first.go_on()
    first.cont()
    until(lambda: set(counted.owners().values()) == {"a", "b"})
    sender.end()
    everything_once(counted, sender)
